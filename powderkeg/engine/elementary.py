"""Logarithm, exponential and cosine that give the same bits wherever they run.

In: a number. Out: a number. The C library's own differ in the last bit from system to system, and between a processor
that multiplies and adds in one step and one that does not; a simulated history hangs on every bit of every delay. These
use only what IEEE 754 fixes: add, subtract, multiply, divide, and the bits of a number. So the same events come out
under Linux, macOS and Windows, and in the browser, for which the same source is compiled to WebAssembly.

Within one unit in the last place of the true value (`logarithm`, `exponential`); `cosine_of_turns` within 2e-16.
Source: range reduction and minimax coefficients as published with fdlibm (Sun Microsystems, 1993), e_log.c, e_exp.c,
k_sin.c, k_cos.c; written anew here.
"""

from __future__ import annotations

import math

import numpy as np

from powderkeg.engine.compiled import anywhere, loop

_FRACTION = np.int64(0x000FFFFFFFFFFFFF)
_ONE_BITS = np.int64(0x3FF0000000000000)
_HALF_BITS = np.int64(0x3FE0000000000000)
_SQRT2_FRACTION = np.int64(0x6A09E667F3BCD)
_BIAS = np.int64(1023)
_52 = np.int64(52)

# ln 2 in two parts: products of the first with exponents are exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_PER_LN2 = 1.44269504088896338700e00

_L1, _L2, _L3, _L4 = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
)
_L5, _L6, _L7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01

_E1, _E2, _E3 = 1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05
_E4, _E5 = -1.65339022054652515390e-06, 4.13813679705723846039e-08

_S1, _S2, _S3 = -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04
_S4, _S5, _S6 = 2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10
_C1, _C2, _C3 = 4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05
_C4, _C5, _C6 = -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11


@anywhere
def logarithm(x):  # type: ignore[no-untyped-def]
    """ln x of a normal number above 0 (2.2e-308 or more, below infinity)."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits >> _52) - _BIAS
    fraction = bits & _FRACTION
    if fraction > _SQRT2_FRACTION:  # into [sqrt(1/2), sqrt(2)]
        exponent += 1
        fraction |= _HALF_BITS
    else:
        fraction |= _ONE_BITS
    k = np.float64(exponent)
    f = np.int64(fraction).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7))) + w * (_L2 + w * (_L4 + w * _L6))
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + r) + k * _LN2_LOW)) - f)


@anywhere
def exponential(x):  # type: ignore[no-untyped-def]
    """e to the power of x; 0 below -745.2, infinity above 709.8."""
    if x > 709.782712893384:
        return np.inf
    if x < -745.1332191019412:
        return 0.0
    k = np.int64(x * _PER_LN2 + (0.5 if x >= 0.0 else -0.5))
    n = np.float64(k)
    high = x - n * _LN2_HIGH
    low = n * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (_E1 + t * (_E2 + t * (_E3 + t * (_E4 + t * _E5))))
    y = 1.0 + (r * c / (2.0 - c) - low + high)
    if k < -1000:  # the result may be too small for an exponent of its own: in two steps
        return y * np.int64((k + 200 + _BIAS) << _52).view(np.float64) * 6.223015277861142e-61
    if k > 1000:
        return y * 2.0 * np.int64((k - 1 + _BIAS) << _52).view(np.float64)
    return y * np.int64((k + _BIAS) << _52).view(np.float64)


@anywhere
def cosine_of_turns(turns):  # type: ignore[no-untyped-def]
    """cos(2 pi `turns`), of fewer than 2^51 turns: whole turns are left out without rounding."""
    rest = abs(turns - np.float64(np.int64(turns)))  # [0, 1), exact
    if rest > 0.5:
        rest = 1.0 - rest
    sign = 1.0
    if rest > 0.25:
        rest = 0.5 - rest
        sign = -1.0
    if rest > 0.125:
        x = 2.0 * math.pi * (0.25 - rest)
        z = x * x
        return sign * (x + x * z * (_S1 + z * (_S2 + z * (_S3 + z * (_S4 + z * (_S5 + z * _S6))))))
    x = 2.0 * math.pi * rest
    z = x * x
    return sign * (1.0 - (0.5 * z - z * z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * _C6)))))))


@loop
def exponentials(x, out):  # type: ignore[no-untyped-def]
    """The exponential of each number, for callers from Python: unlike the function by itself this is kept compiled."""
    for i in range(len(x)):
        out[i] = exponential(x[i])
