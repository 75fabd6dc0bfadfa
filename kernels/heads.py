"""What attention does to one sequence: y = softmax(q k' / sqrt(d)) v of every head, and its gradients; for kernels.

q, k, v and y are (T, F); head h has the columns h d to (h + 1) d, d = F / heads. p (heads, T, T) has the
probabilities, row t those of step t. Where causal, no step looks at later ones: their probabilities are 0.
"""

import math

from kernels.blas import gemm_alone
from kernels.jit import scalar, subroutine
from kernels.softmax import softmax_row, softmax_row_backward

BLOCK = 64  # rows of p at a time: softmax and the second product find them in the cache


@scalar
def _multiply(x, scale):
    for i in range(x.size):
        x[i] *= scale


@subroutine
def attend_head(y, p, q, k, v, causal):
    """y and p from q, k, v: (T, d) and p (T, T)."""
    T, d = q.shape
    scale = q.dtype.type(1.0 / math.sqrt(d))
    for start in range(0, T, BLOCK):
        stop = min(start + BLOCK, T)
        keys = stop if causal else T
        rows = p[start:stop, :keys]
        gemm_alone(rows, q[start:stop], k[:keys], False, True, False)
        for t in range(start, stop):
            seen = t + 1 if causal else T
            _multiply(p[t, :seen], scale)
            softmax_row(p[t, :seen], p[t, :seen])
            p[t, seen:] = 0
        gemm_alone(y[start:stop], rows, v[:keys], False, False, False)


@subroutine
def attend_head_backward(dq, dk, dv, dp, dy, p, q, k, v, causal):
    """The gradients of q, k and v (T, d), given dy; dp (BLOCK, T) is room for those of a block of p (T, T)."""
    T, d = q.shape
    scale = q.dtype.type(1.0 / math.sqrt(d))
    last = (T - 1) // BLOCK * BLOCK
    for start in range(last, -1, -BLOCK):  # the last rows reach every key: they write what others add to
        stop = min(start + BLOCK, T)
        keys = stop if causal else T
        rows, drows, others = p[start:stop, :keys], dp[: stop - start, :keys], start < last
        gemm_alone(dv[:keys], rows, dy[start:stop], True, False, others)
        gemm_alone(drows, dy[start:stop], v[:keys], False, True, False)
        for i in range(stop - start):
            softmax_row_backward(dp[i, :keys], dp[i, :keys], p[start + i, :keys])
            _multiply(dp[i, :keys], scale)
        gemm_alone(dq[start:stop], drows, k[:keys], False, False, False)
        gemm_alone(dk[:keys], drows, q[start:stop], True, False, others)


@subroutine
def attend(y, p, q, k, v, causal):
    """y and p of every head."""
    d = q.shape[1] // len(p)
    for h in range(len(p)):
        one = slice(h * d, (h + 1) * d)
        attend_head(y[:, one], p[h], q[:, one], k[:, one], v[:, one], causal)


@subroutine
def attend_backward(dq, dk, dv, dp, dy, p, q, k, v, causal):
    """The gradients of every head's q, k and v."""
    d = q.shape[1] // len(p)
    for h in range(len(p)):
        one = slice(h * d, (h + 1) * d)
        grads = dq[:, one], dk[:, one], dv[:, one]
        attend_head_backward(*grads, dp, dy[:, one], p[h], q[:, one], k[:, one], v[:, one], causal)
