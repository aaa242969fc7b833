//! The vector operations that Zig has no word for. In Wasm each is one SIMD128 instruction; elsewhere the same result
//! is computed plainly, so that `zig test` runs everything natively and gives the same bits.

const std = @import("std");
const builtin = @import("builtin");

pub const F32x4 = @Vector(4, f32);
pub const I32x4 = @Vector(4, i32);
pub const U32x4 = @Vector(4, u32);
pub const I16x8 = @Vector(8, i16);
pub const I8x8 = @Vector(8, i8);
pub const I8x16 = @Vector(16, i8);
pub const U8x16 = @Vector(16, u8);

const in_wasm = builtin.cpu.arch.isWasm();

/// How many lanes were added by `saturatingSum`, and how many of them saturated.
pub const Saturations = extern struct { added: u64 = 0, saturated: u64 = 0 };

const root = @import("root");
/// A module around the engine that declares `pub var saturations: Saturations` has them counted there.
const counting = @hasDecl(root, "saturations");

extern fn @"llvm.wasm.dot"(I16x8, I16x8) I32x4;
extern fn @"llvm.wasm.narrow.signed.v16i8.v8i16"(I16x8, I16x8) I8x16;
extern fn @"llvm.wasm.q15mulr.sat.signed"(I16x8, I16x8) I16x8;
extern fn @"llvm.wasm.swizzle"(I8x16, U8x16) I8x16;
extern fn @"llvm.wasm.pmin.v4f32"(F32x4, F32x4) F32x4;
extern fn @"llvm.wasm.pmax.v4f32"(F32x4, F32x4) F32x4;

/// Lane i is a[2i] * b[2i] + a[2i+1] * b[2i+1], modulo 2^32 (only four times -32768 wraps).
pub inline fn dot(a: I16x8, b: I16x8) I32x4 {
    if (in_wasm) return @"llvm.wasm.dot"(a, b);
    const products = @as(@Vector(8, i32), a) *% @as(@Vector(8, i32), b);
    const even = @shuffle(i32, products, undefined, I32x4{ 0, 2, 4, 6 });
    const odd = @shuffle(i32, products, undefined, I32x4{ 1, 3, 5, 7 });
    return even +% odd;
}

/// a + b, each lane brought into -128..127.
pub inline fn saturatingSum(a: I8x16, b: I8x16) I8x16 {
    const total = a +| b;
    if (counting) {
        root.saturations.added += 16;
        root.saturations.saturated += std.simd.countTrues(total != a +% b);
    }
    return total;
}

/// The lanes of a, then of b, each brought into -128..127.
pub inline fn narrowToBytes(a: I16x8, b: I16x8) I8x16 {
    if (in_wasm) return @"llvm.wasm.narrow.signed.v16i8.v8i16"(a, b);
    const both = std.simd.join(a, b);
    const low: @Vector(16, i16) = @splat(-128);
    const high: @Vector(16, i16) = @splat(127);
    return @intCast(@min(@max(both, low), high));
}

/// a * b / 2^15 to nearest (halves up), brought into -32768..32767.
pub inline fn productOfFractions(a: I16x8, b: I16x8) I16x8 {
    if (in_wasm) return @"llvm.wasm.q15mulr.sat.signed"(a, b);
    const half: @Vector(8, i32) = @splat(1 << 14);
    const product = (@as(@Vector(8, i32), a) * @as(@Vector(8, i32), b) + half) >> @splat(15);
    return @intCast(@min(product, @as(@Vector(8, i32), @splat(32767)))); // only -1 times -1 is too large
}

/// Lane i is table[indices[i]], or 0 where the table ends before.
pub inline fn lookUp(table: I8x16, indices: U8x16) I8x16 {
    if (in_wasm) return @"llvm.wasm.swizzle"(table, indices);
    const entries: [16]i8 = table;
    var found: [16]i8 = undefined;
    inline for (0..16) |i| found[i] = if (indices[i] < 16) entries[indices[i]] else 0;
    return found;
}

/// The first eight lanes, each times b's.
pub inline fn lowProducts(a: I8x16, b: I8x16) I16x8 {
    return @as(I16x8, std.simd.extract(a, 0, 8)) *% @as(I16x8, std.simd.extract(b, 0, 8));
}

/// The last eight lanes, each times b's.
pub inline fn highProducts(a: I8x16, b: I8x16) I16x8 {
    return @as(I16x8, std.simd.extract(a, 8, 8)) *% @as(I16x8, std.simd.extract(b, 8, 8));
}

/// In memory, one instruction with the load.
pub inline fn widened(bytes: [8]i8) I16x8 {
    return @as(I8x8, bytes);
}

/// b < a ? b : a. A NaN in either gives a; one instruction, where f32x4.min is metered as four.
pub inline fn lesser(a: F32x4, b: F32x4) F32x4 {
    if (in_wasm) return @"llvm.wasm.pmin.v4f32"(a, b);
    return @select(f32, b < a, b, a);
}

/// a < b ? b : a. A NaN in either gives a.
pub inline fn greater(a: F32x4, b: F32x4) F32x4 {
    if (in_wasm) return @"llvm.wasm.pmax.v4f32"(a, b);
    return @select(f32, a < b, b, a);
}

pub inline fn magnitude(a: F32x4) F32x4 {
    return @bitCast(@as(U32x4, @bitCast(a)) & @as(U32x4, @splat(0x7fff_ffff)));
}

pub inline fn splat(value: f32) F32x4 {
    return @splat(value);
}

/// Two neighbouring numbers, held in one i32, in all four pairs of lanes.
pub inline fn repeatedPair(pair: i32) I16x8 {
    return @bitCast(@as(I32x4, @splat(pair)));
}

/// The integer at or above x, or for integers the next one at times, for 0 <= x < 2^22; some integer for anything else.
pub inline fn roundedUp(x: F32x4) I32x4 {
    const shifted: I32x4 = @bitCast(x + splat(0.5) + splat(12582912.0)); // 1.5 * 2^23: see functions.zig
    return shifted -% @as(I32x4, @splat(0x4b40_0000));
}

pub inline fn toFloat(values: I32x4) F32x4 {
    return @floatFromInt(values);
}

/// (a0 + a1) + (a2 + a3)
pub inline fn sum(a: F32x4) f32 {
    return (a[0] + a[1]) + (a[2] + a[3]);
}

pub inline fn greatest(a: F32x4) f32 {
    const halves = greater(a, @shuffle(f32, a, undefined, I32x4{ 2, 3, 0, 1 }));
    return greater(halves, @shuffle(f32, halves, undefined, I32x4{ 1, 0, 3, 2 }))[0];
}

/// Lane i is `sum` of the i-th argument.
pub inline fn sums(a: F32x4, b: F32x4, c: F32x4, d: F32x4) F32x4 {
    const ab = @shuffle(f32, a, b, I32x4{ 0, 2, ~@as(i32, 0), ~@as(i32, 2) }) +
        @shuffle(f32, a, b, I32x4{ 1, 3, ~@as(i32, 1), ~@as(i32, 3) });
    const cd = @shuffle(f32, c, d, I32x4{ 0, 2, ~@as(i32, 0), ~@as(i32, 2) }) +
        @shuffle(f32, c, d, I32x4{ 1, 3, ~@as(i32, 1), ~@as(i32, 3) });
    return @shuffle(f32, ab, cd, I32x4{ 0, 2, ~@as(i32, 0), ~@as(i32, 2) }) +
        @shuffle(f32, ab, cd, I32x4{ 1, 3, ~@as(i32, 1), ~@as(i32, 3) });
}

/// The same pointer, but the compiler no longer knows where from: it then addresses everything from this one value
/// with constant offsets, instead of keeping a running pointer per load (which costs a third of a kernel).
pub inline fn opaquePointer(pointer: anytype) @TypeOf(pointer) {
    return asm (""
        : [result] "=r" (-> @TypeOf(pointer)),
        : [pointer] "0" (pointer),
    );
}

const testing = std.testing;

test "dot adds neighbouring products and wraps only at four times -32768" {
    const a = I16x8{ 1, 2, -3, 4, 32767, 32767, -32768, -32768 };
    const b = I16x8{ 5, -6, 7, 8, 32767, 32767, -32768, -32768 };
    try testing.expectEqual(I32x4{ -7, 11, 2 * 32767 * 32767, std.math.minInt(i32) }, dot(a, b));
}

test "bytes: saturated, multiplied as fractions, looked up, widened" {
    const a = I16x8{ 1, -2, 300, -300, 127, -128, 128, -129 };
    try testing.expectEqual(I8x16{ 1, -2, 127, -128, 127, -128, 127, -128, 1, -2, 127, -128, 127, -128, 127, -128 }, narrowToBytes(a, a));
    const x = I16x8{ 16384, -16384, 1, -1, -32768, 32767, 3, -3 };
    const y = I16x8{ 3, 3, 16384, 16384, -32768, 32767, 16384, 16384 };
    try testing.expectEqual(I16x8{ 2, -1, 1, 0, 32767, 32766, 2, -1 }, productOfFractions(x, y));
    const table = std.simd.iota(i8, 16) - @as(I8x16, @splat(8));
    const indices = U8x16{ 15, 0, 8, 7, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 16, 255 };
    const found = I8x16{ 7, -8, 0, -1, -7, -6, -5, -4, -3, -2, 1, 2, 3, 4, 0, 0 };
    try testing.expectEqual(found, lookUp(table, indices));
    try testing.expectEqual(I16x8{ 210, -240, 0, -30, -210, -180, -150, -120 }, lowProducts(found, @splat(30)));
    try testing.expectEqual(I16x8{ -90, -60, 30, 60, 90, 120, 0, 0 }, highProducts(found, @splat(30)));
}

test "lesser and greater choose, and keep the first where a NaN stands" {
    const nan = std.math.nan(f32);
    const a = F32x4{ 1, 2, 3, nan };
    const b = F32x4{ 2, 1, nan, 4 };
    const least = lesser(a, b);
    const most = greater(a, b);
    try testing.expectEqual([3]f32{ 1, 1, 3 }, [3]f32{ least[0], least[1], least[2] });
    try testing.expectEqual([3]f32{ 2, 2, 3 }, [3]f32{ most[0], most[1], most[2] });
    try testing.expect(std.math.isNan(least[3]) and std.math.isNan(most[3]));
}

test "magnitude clears the sign, greatest finds it, sums add lanes in the order of sum" {
    try testing.expectEqual(F32x4{ 1, 0, 2, std.math.inf(f32) }, magnitude(.{ -1, -0.0, 2, -std.math.inf(f32) }));
    try testing.expectEqual(@as(f32, 7), greatest(.{ 1, 7, -9, 3 }));
    const rows = [4]F32x4{ .{ 1e8, 1, -1e8, 1 }, .{ 1, 2, 3, 4 }, .{ 0.1, 0.2, 0.3, 0.4 }, .{ 1, 1e-8, 1e8, -1e8 } };
    const together = sums(rows[0], rows[1], rows[2], rows[3]);
    inline for (0..4) |i| try testing.expectEqual(sum(rows[i]), together[i]);
}
