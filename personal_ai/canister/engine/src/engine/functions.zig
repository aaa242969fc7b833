//! Vector functions of f32. They use IEEE additions, multiplications and divisions only, so every machine gives the
//! same bits.

const std = @import("std");
const simd = @import("simd.zig");
const F32x4 = simd.F32x4;
const splat = simd.splat;

const exp_low = -87.33654; // exp of it is still a normal number
const exp_high = 88.37626; // exp of it is still finite
const round_to_integer = 12582912.0; // 1.5 * 2^23: adding it leaves a number's integer in the low bits
const ln2_high = 0.693359375; // few bits, so that n * ln2_high is exact
const ln2_low = -0.00021219444005471377;

/// e^x with a relative error below 2e-7; x is first brought into -87.3..88.3.
/// e^x = 2^n e^r with n = round(x / ln 2); e^r = 1 + r + r^2 p(r) on |r| <= ln 2 / 2, p by the Remez exchange.
pub inline fn exp(argument: F32x4) F32x4 {
    const x = simd.lesser(simd.greater(argument, splat(exp_low)), splat(exp_high));
    const shifted = x * splat(std.math.log2e) + splat(round_to_integer);
    const n = shifted - splat(round_to_integer);
    const r = (x - n * splat(ln2_high)) - n * splat(ln2_low);
    var p = splat(0.001381459878757596);
    p = p * r + splat(0.008368716575205326);
    p = p * r + splat(0.04166838899254799);
    p = p * r + splat(0.1666652113199234);
    p = p * r + splat(0.4999999403953552);
    const power = (p * r * r + r) + splat(1);
    return @bitCast(@as(simd.I32x4, @bitCast(power)) +% (@as(simd.I32x4, @bitCast(shifted)) << @splat(23)));
}

/// 2^x for x <= 0 with a relative error below 1.1e-4 (none at integers); x is first brought to at least -127, of which
/// it gives 0.
pub inline fn powerOfTwo(argument: F32x4) F32x4 {
    const x = simd.greater(argument, splat(-127));
    const shifted = x + splat(round_to_integer);
    const r = x - (shifted - splat(round_to_integer));
    var p = splat(0.05500893294811249);
    p = p * r + splat(0.2422109693288803);
    p = p * r + splat(0.6932829022407532);
    p = p * r + splat(1);
    return @bitCast(@as(simd.I32x4, @bitCast(p)) +% (@as(simd.I32x4, @bitCast(shifted)) << @splat(23)));
}

/// 1 + 2^x with a relative error below 3e-7; x is first brought into -126..126.
inline fn oneMoreThanPowerOfTwo(argument: F32x4) F32x4 {
    const x = simd.lesser(simd.greater(argument, splat(-126)), splat(126));
    const shifted = x + splat(round_to_integer);
    const r = x - (shifted - splat(round_to_integer));
    var p = splat(0.001326472731307149);
    p = p * r + splat(0.009671512991189957);
    p = p * r + splat(0.05550733581185341);
    p = p * r + splat(0.24022242426872253);
    p = p * r + splat(0.6931470036506653);
    p = p * r + splat(1);
    const power: F32x4 = @bitCast(@as(simd.I32x4, @bitCast(p)) +% (@as(simd.I32x4, @bitCast(shifted)) << @splat(23)));
    return splat(1) + power;
}

/// 1 / (1 + e^-x)
pub inline fn sigmoid(x: F32x4) F32x4 {
    return splat(1) / oneMoreThanPowerOfTwo(x * splat(-std.math.log2e));
}

/// x sigmoid(x)
pub inline fn silu(x: F32x4) F32x4 {
    return x / oneMoreThanPowerOfTwo(x * splat(-std.math.log2e));
}

/// gate sigmoid(gate) value
pub inline fn siluMultiply(gate: F32x4, value: F32x4) F32x4 {
    return silu(gate) * value;
}

/// tanh x with a relative error below 3e-7: x + x^3 p(x^2) up to 0.625 (p through Chebyshev nodes), else from exp.
pub inline fn tanh(x: F32x4) F32x4 {
    const size = simd.magnitude(x);
    const z = x * x;
    var p = splat(-0.006152088182968287);
    p = p * z + splat(0.021043017829945956);
    p = p * z + splat(-0.05386316058447256);
    p = p * z + splat(0.13332882850513628);
    p = p * z + splat(-0.3333333120016574);
    const near = x + x * z * p;
    const far = splat(1) - splat(2) / (exp(size + size) + splat(1));
    return @select(f32, size < splat(0.625), near, @select(f32, x < splat(0), -far, far));
}

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), which is x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)).
pub inline fn geluTanh(x: F32x4) F32x4 {
    const inner = x * (splat(-1.5957691216057308 * std.math.log2e) + x * x * splat(-0.07135481282553446 * std.math.log2e));
    return x / oneMoreThanPowerOfTwo(inner);
}

/// x/2 (1 + erf(x / sqrt 2))
pub inline fn geluErf(x: F32x4) F32x4 {
    const tail = oneMinusErf(simd.magnitude(x) * splat(std.math.sqrt1_2));
    const half = x * splat(0.5);
    return @select(f32, x < splat(0), half * tail, half * (splat(2) - tail));
}

/// The error function, with an absolute error below 2e-7.
pub inline fn erf(x: F32x4) F32x4 {
    const size = splat(1) - oneMinusErf(simd.magnitude(x));
    return @select(f32, x < splat(0), -size, size);
}

/// 1 - erf(z) for z >= 0, by Abramowitz and Stegun, formula 7.1.26 (absolute error below 1.5e-7).
inline fn oneMinusErf(z: F32x4) F32x4 {
    const t = splat(1) / (splat(1) + z * splat(0.3275911));
    var p = splat(1.061405429);
    p = p * t + splat(-1.453152027);
    p = p * t + splat(1.421413741);
    p = p * t + splat(-0.284496736);
    p = p * t + splat(0.254829592);
    return p * t * exp(-(z * z));
}

pub inline fn add(a: F32x4, b: F32x4) F32x4 {
    return a + b;
}

pub inline fn multiply(a: F32x4, b: F32x4) F32x4 {
    return a * b;
}

const testing = std.testing;

fn expectNear(comptime function: fn (F32x4) callconv(.@"inline") F32x4, exact: *const fn (f64) f64, bound: f64) !void {
    var x: f32 = -100;
    while (x < 100) : (x += 0.0137) {
        const got = function(splat(x))[0];
        const want = exact(x);
        try testing.expect(@abs(got - want) <= bound * @max(@abs(want), 1));
    }
}

fn exactSilu(x: f64) f64 {
    return x / (1 + @exp(-x));
}

fn exactSigmoid(x: f64) f64 {
    return 1 / (1 + @exp(-x));
}

test "tanh is exact to 3e-7, small and large" {
    var x: f32 = -95;
    while (x < 95) : (x += 0.00937) {
        const want = std.math.tanh(@as(f64, x));
        try testing.expect(@abs(tanh(splat(x))[0] - want) <= 3e-7 * @abs(want));
    }
    const ends = tanh(.{ 0, 1e-20, std.math.inf(f32), -std.math.inf(f32) });
    try testing.expectEqual(F32x4{ 0, 1e-20, 1, -1 }, ends);
    try testing.expect(std.math.isNan(tanh(splat(std.math.nan(f32)))[0]));
}

fn exactGeluTanh(x: f64) f64 {
    return 0.5 * x * (1 + std.math.tanh(@sqrt(2.0 / std.math.pi) * (x + 0.044715 * x * x * x)));
}

test "exp is exact to 2e-7 where it is a normal number, and clamped elsewhere" {
    var x: f32 = -87.3;
    while (x < 88.37) : (x += 0.0073) {
        const want = @exp(@as(f64, x));
        try testing.expect(@abs(exp(splat(x))[0] - want) <= 2e-7 * want);
    }
    const ends = exp(.{ -std.math.inf(f32), -1e30, 1e30, std.math.inf(f32) });
    try testing.expect(ends[0] > 0 and ends[0] < 2e-38 and ends[1] == ends[0]);
    try testing.expect(std.math.isFinite(ends[2]) and ends[2] > 2e38 and ends[3] == ends[2]);
    try testing.expectEqual(splat(1), exp(splat(0)));
}

test "powers of two are exact to 1.1e-4 and vanish far below" {
    var x: f32 = -126;
    while (x <= 0) : (x += 0.0071) {
        const want = std.math.pow(f64, 2, x);
        try testing.expect(@abs(powerOfTwo(splat(x))[0] - want) <= 1.1e-4 * want);
    }
    const ends = powerOfTwo(.{ 0, -1, -std.math.inf(f32), -1e30 });
    try testing.expectEqual(F32x4{ 1, 0.5, 0, 0 }, ends);
}

test "sigmoid, silu and gelu follow their definitions" {
    try expectNear(sigmoid, exactSigmoid, 2e-7);
    try expectNear(silu, exactSilu, 2e-7);
    try expectNear(geluTanh, exactGeluTanh, 2e-7);
}

test "gelu by erf at known values" {
    // x Phi(x), Phi from tables of the normal distribution
    const xs = F32x4{ 1, -1, 2, -0.5 };
    const want = [4]f32{ 0.8413447461, -0.1586552539, 1.954499736, -0.1542687694 };
    const got = geluErf(xs);
    inline for (0..4) |i| try testing.expect(@abs(got[i] - want[i]) < 3e-7);
    const far = geluErf(.{ 50, -50, 0, -0.0 });
    try testing.expectEqual([3]f32{ 50, 0, 0 }, [3]f32{ far[0], far[2], @abs(far[3]) });
    try testing.expect(@abs(far[1]) < 1e-30);
}
