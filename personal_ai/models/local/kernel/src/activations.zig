//! Rows of f32 to integers of 16 bits with a scale for each block of 64: the same numbers as in the canister's engine
//! (engine/quantise.zig), bit for bit.

const std = @import("std");
const simd = @import("simd.zig");
const weights = @import("weights.zig");
const F32x8 = simd.F32x8;
const block = weights.block;

const level = 32767;
const smallest = 1e-30; // blocks below become zeros: 32767 / their greatest would be no finite number
const round_to_integer = 12582912.0; // 1.5 * 2^23: added, it leaves an integer in a number's low bits

/// 64 activations: value = integer * scale. Of each four integers the second and the third have changed places, so that
/// a pair goes with the words of a quad's inputs 0 and 2, or 1 and 3 (weights.zig).
pub const Block = extern struct {
    pairs: [block / 2]i32,
    scale: f32,
    sum: i32, // of the integers
    _: [14]u32 = undefined, // so that blocks begin with a line of the cache

    fn fill(to: *Block, x: *const [block]f32) void {
        const eights = block / 8;
        var most: F32x8 = @splat(smallest);
        for (0..eights) |i| {
            const magnitudes = @abs(@as(F32x8, x[8 * i ..][0..8].*));
            most = @select(f32, most < magnitudes, magnitudes, most);
        }
        const greatest = @reduce(.Max, most);
        const factor: F32x8 = @splat(if (greatest > smallest) level / greatest else 0);
        const integers: *[block]i16 = @ptrCast(&to.pairs);
        var sums: simd.I32x8 = @splat(0);
        for (0..eights) |i| {
            const values: F32x8 = x[8 * i ..][0..8].*;
            const shifted: simd.I32x8 = @bitCast(values * factor + @as(F32x8, @splat(round_to_integer)));
            const eight: @Vector(8, i16) = @truncate(shifted);
            sums +%= eight;
            integers[8 * i ..][0..8].* = @shuffle(i16, eight, undefined, [8]i32{ 0, 2, 1, 3, 4, 6, 5, 7 });
        }
        to.sum = @reduce(.Add, sums);
        to.scale = if (greatest > smallest) greatest / level else 0;
    }
};

/// x [rows, inputs] to blocks [rows, blocks of a row]; the last of a row is filled up with zeros.
pub fn quantise(x: []const f32, inputs: usize, to: []Block) void {
    const whole = inputs / block;
    const rest = inputs % block;
    const blocks = whole + @intFromBool(rest != 0);
    for (0..x.len / inputs) |row| {
        const source = x[row * inputs ..][0..inputs];
        const target = to[row * blocks ..][0..blocks];
        for (0..whole) |i| target[i].fill(source[i * block ..][0..block]);
        if (rest != 0) {
            var padded: [block]f32 = @splat(0);
            @memcpy(padded[0..rest], source[whole * block ..]);
            target[whole].fill(&padded);
        }
    }
}

const testing = std.testing;

test "blocks keep their own scale, a short one is filled up, pairs are those of inputs 0 and 2, 1 and 3" {
    var x: [132]f32 = @splat(0);
    for (x[0..64], 0..) |*value, i| value.* = @as(f32, @floatFromInt(i)) - 20;
    x[63] = 100;
    x[128..132].* = .{ -3, 1.5, 3, 0 };
    var blocks: [3]Block = undefined;
    quantise(&x, 132, &blocks);
    for (blocks, [3]f32{ 100, 0, 3 }) |row, greatest| try testing.expectEqual(greatest / 32767.0, row.scale);
    const first: *const [64]i16 = @ptrCast(&blocks[0].pairs);
    try testing.expectEqual(@as(i16, 32767), first[63]);
    try testing.expectEqual(@as(i16, -6553), first[0]);
    for (blocks[1].pairs) |pair| try testing.expectEqual(@as(i32, 0), pair);
    const last: *const [64]i16 = @ptrCast(&blocks[2].pairs);
    try testing.expectEqual([5]i16{ -32767, 32767, 16384, 0, 0 }, last[0..5].*); // 16383.5 to even
    try testing.expectEqual(@as(i32, 16384), blocks[2].sum);
}

test "numbers that are none give some integers and never trap" {
    const hostile = [_]f32{ std.math.nan(f32), std.math.inf(f32), -std.math.inf(f32), 1e-45, std.math.floatMax(f32) };
    var x: [64]f32 = undefined;
    for (&x, 0..) |*value, i| value.* = hostile[i % hostile.len];
    var blocks: [1]Block = undefined;
    quantise(&x, 64, &blocks);
}
