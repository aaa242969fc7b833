//! Activations of 16 bits times weights of 8 or 4 bits: the arithmetic of the canister's engine (engine/matmul_i8.zig).
//!
//! For each block of 64 inputs in order: s = sum of the 64 products in i32 (exact in any order, see below);
//! y = y + f32(s) * (weight scale * activation scale); y begins as the bias or 0. Nothing in it depends on how many rows
//! are computed together, nor on how many threads share the work: `few` and `many` differ in the order of their loops
//! only.
//!
//! No overflow: a weight and its offset are at most 2^8, an activation 2^15, so a sum of 64 products and its correction
//! are at most 64 * 2^23 = 2^29 < 2^31.

const std = @import("std");
const simd = @import("simd.zig");
const activations = @import("activations.zig");
const weights = @import("weights.zig");
const Weights = weights.Weights;
const Block = activations.Block;
const F32x8 = simd.F32x8;
const I32x8 = simd.I32x8;
const I16x16 = simd.I16x16;
const block = weights.block;
const quad = weights.quad;
const tile_bytes = weights.tile_bytes;

const quads = block / quad;
const line_bytes = 64; // of the processor's caches

/// So many rows are computed while a piece of the matrix is in the cache.
pub const rows_max = 130;

/// Up to so many rows the matrix is read once, as fast as memory gives it.
pub const few_rows = 8;

/// So many tiles of one row are computed together: their sums stay in the nearest cache.
pub const stretch_tiles = 64;

/// Activations [rows, blocks], results [rows, outputs] of all outputs.
pub const Rows = struct { x: [*]const Block, y: [*]f32, count: usize };

/// How a matrix of weights of so many bits is multiplied by.
pub fn Product(comptime bits: comptime_int) type {
    const W = Weights(bits);
    const tile = W.tile;
    const Twins = [W.twins][2]I32x8;

    return struct {
        const panel_blocks = 8 / W.twins; // 16 KB
        const group_rows = 5; // whose sums stay in registers

        /// Some blocks of a tile, spread to 16 bits: twin by twin the pairs of all quads.
        const Panel = struct {
            pairs: [panel_blocks][W.twins][quads][2][2]I16x16,
            scales: [panel_blocks][W.twins][2]F32x8,
        };

        /// Results of some rows of a tile, in the order of `Weights.ordered`.
        const Results = [rows_max][W.twins][2]F32x8;

        /// y = x times the outputs of the tiles from `first` to `end`, plus `bias`. At most `rows_max` rows.
        pub fn multiply(w: W, bias: ?[*]const f32, rows: Rows, first: usize, end: usize) void {
            const from = first * tile;
            const count = @min(end * tile, w.outputs) - from;
            for (0..rows.count) |row| {
                const target = rows.y[row * w.outputs + from ..][0..count];
                if (bias) |start| @memcpy(target, start[from..][0..count]) else @memset(target, 0);
            }
            const whole = @max(@min(end, w.wholeTiles()), first);
            const done = w.wholeBlocks();
            switch (rows.count) {
                inline 1...few_rows => |count_few| few(count_few, w, rows, first, whole),
                else => for (first..whole) |t| many(w, rows, t, 0),
            }
            if (rows.count <= few_rows and done < w.blockCount()) for (first..whole) |t| many(w, rows, t, done);
            for (whole..end) |t| many(w, rows, t, 0);
        }

        /// Whole blocks of whole tiles. Memory is read row by row, from its beginning to its end.
        fn few(comptime count: usize, w: W, rows: Rows, first: usize, end: usize) void {
            const stretch = stretch_tiles / count;
            var t = first;
            while (t < end) : (t += stretch) fewTiles(count, w, rows, t, @min(stretch, end - t));
        }

        fn fewTiles(comptime count: usize, w: W, rows: Rows, first: usize, tiles: usize) void {
            const row_bytes = w.rowBytes();
            const last = w.wholeBlocks() * quads;
            var source = w.integers + first * tile_bytes;
            var sums: [stretch_tiles / count][count]Twins = undefined;
            for (0..last) |i| {
                const q = i % quads;
                var x: [count]*const Block = undefined;
                var pairs: [count][2]I16x16 = undefined;
                inline for (&x, &pairs, 0..) |*to, *both, row| {
                    to.* = &rows.x[row * w.blockCount() + i / quads];
                    both.* = .{ simd.repeatedPair(to.*.pairs[2 * q]), simd.repeatedPair(to.*.pairs[2 * q + 1]) };
                    if (q == 0) for (sums[0..tiles]) |*all| {
                        all[row] = begin(to.*);
                    };
                }
                const ahead = if (i + 1 < last) source + quad * row_bytes else source;
                for (sums[0..tiles], 0..) |*all, t| {
                    if (t % (line_bytes / tile_bytes) == 0) inline for (0..quad) |r| {
                        @prefetch(ahead + r * row_bytes + t * tile_bytes, .{});
                    };
                    if (q == 0) {
                        const scales = w.scales + i / quads * w.outputs + (first + t) * tile;
                        inline for (0..tile * @sizeOf(f32) / line_bytes) |line| @prefetch(scales + 16 * line, .{});
                    }
                    const spread = W.pairsOf(rowsFrom(source + t * tile_bytes, row_bytes));
                    inline for (all, pairs) |*twins, both| add(twins, spread, both);
                }
                source += quad * row_bytes;
                if (q + 1 == quads) inline for (x, 0..) |block_x, row| {
                    const y = rows.y + row * w.outputs;
                    for (sums[0..tiles], first..) |*all, t| finish(w, i / quads, t, all[row], block_x.scale, y);
                };
            }
        }

        inline fn add(twins: *Twins, spread: [W.twins][2]weights.Pairs, pairs: [2]I16x16) void {
            inline for (twins, spread) |*twin, both| {
                inline for (twin, both) |*sum, halves| {
                    inline for (halves, pairs) |half, pair| sum.* = simd.accumulated(sum.*, half, pair);
                }
            }
        }

        fn finish(w: W, b: usize, t: usize, twins: Twins, scale: f32, y: [*]f32) void {
            inline for (twins, 0..) |twin, i| {
                inline for (W.ordered(twin), 0..) |sum, half| {
                    const output = t * tile + half * tile / 2 + 8 * i;
                    const factor = @as(F32x8, w.scales[b * w.outputs + output ..][0..8].*) * splat(scale);
                    y[output..][0..8].* = @as(F32x8, y[output..][0..8].*) + toFloat(sum) * factor;
                }
            }
        }

        /// Several rows, the blocks of a tile from `start` on: each integer is spread once for all of them.
        fn many(w: W, rows: Rows, t: usize, start: usize) void {
            var panel: Panel align(line_bytes) = undefined;
            var results: Results align(line_bytes) = undefined;
            exchange(.load, w, rows, t, &results);
            var b = start;
            while (b < w.blockCount()) : (b += panel_blocks) {
                const count = @min(panel_blocks, w.blockCount() - b);
                for (0..count) |i| fill(w, b + i, t, &panel, i);
                var row: usize = 0;
                while (row < rows.count) {
                    const x = rows.x + row * w.blockCount() + b;
                    const together = @min(rows.count - row, group_rows);
                    switch (together) {
                        inline 1...group_rows => |size| group(size, &panel, count, x, w.blockCount(), results[row..]),
                        else => unreachable,
                    }
                    row += together;
                }
            }
            exchange(.store, w, rows, t, &results);
        }

        fn fill(w: W, b: usize, t: usize, panel: *Panel, at: usize) void {
            var copy: [block][tile_bytes]u8 = undefined;
            const source, const row_bytes = w.rowsOf(b, t, &copy);
            for (0..quads) |q| {
                const four = rowsFrom(source + q * quad * row_bytes, row_bytes);
                inline for (four) |row| @prefetch(row + block * row_bytes, .{});
                inline for (W.pairsOf(four), 0..) |twin, i| {
                    inline for (0..2) |half| panel.pairs[at][i][q][half] = .{ twin[0][half], twin[1][half] };
                }
            }
            const scales: *[W.twins][2][8]f32 = @ptrCast(&panel.scales[at]);
            for (0..@min(tile, w.outputs - t * tile)) |i| {
                scales[i % (tile / 2) / 8][i / (tile / 2)][i % 8] = w.scales[b * w.outputs + t * tile + i];
            }
        }

        /// Adds `blocks` blocks of `rows` rows; `stride` is the number of blocks of a row.
        noinline fn group(
            comptime rows: usize,
            panel: *const Panel,
            blocks: usize,
            x: [*]const Block,
            stride: usize,
            results: [][W.twins][2]F32x8,
        ) void {
            for (0..W.twins) |i| for (0..blocks) |b| {
                const first = x + b;
                var sums: [rows][2]I32x8 = undefined;
                inline for (&sums, 0..) |*sum, r| sum.* = begin(&first[r * stride])[0];
                const spread: *const [quads / 2][4][2]I16x16 = @ptrCast(&panel.pairs[b][i]);
                for (spread, 0..) |four, p| inline for (four, 0..) |both, k| {
                    inline for (&sums, 0..) |*sum, r| {
                        const pair = simd.repeatedPair(first[r * stride].pairs[4 * p + k]);
                        inline for (sum, both) |*half, part| half.* = simd.accumulated(half.*, part, pair);
                    }
                };
                inline for (sums, 0..) |sum, r| {
                    const scale = splat(first[r * stride].scale);
                    inline for (W.ordered(sum), &results[r][i], panel.scales[b][i]) |total, *y, factor| {
                        y.* += toFloat(total) * (factor * scale);
                    }
                }
            };
        }

        fn exchange(comptime way: enum { load, store }, w: W, rows: Rows, t: usize, results: *Results) void {
            const count = @min(tile, w.outputs - t * tile);
            for (0..rows.count) |row| {
                const y = rows.y[row * w.outputs + t * tile ..][0..count];
                const result: *[W.twins][2][8]f32 = @ptrCast(&results[row]);
                for (y, 0..) |*value, i| {
                    const held = &result[i % (tile / 2) / 8][i / (tile / 2)][i % 8];
                    if (way == .load) held.* = value.* else value.* = held.*;
                }
            }
        }

        fn begin(x: *const Block) Twins {
            return @splat(@splat(@splat(-W.offset * x.sum)));
        }
    };
}

inline fn rowsFrom(first: [*]const u8, row_bytes: usize) [quad][*]const u8 {
    var rows: [quad][*]const u8 = undefined;
    inline for (&rows, 0..) |*row, i| row.* = first + i * row_bytes;
    return rows;
}

inline fn splat(value: f32) F32x8 {
    return @splat(value);
}

inline fn toFloat(x: I32x8) F32x8 {
    return @floatFromInt(x);
}

const testing = std.testing;

/// Weights, activations and results of random cases, checked against plain loops.
fn Case(comptime bits: comptime_int) type {
    const W = Weights(bits);
    return struct {
        const Self = @This();
        const rows_most = 12;
        const outputs_most = W.tile * 2 + 9;
        const blocks_most = 9;
        const inputs_most = blocks_most * block;
        integers: [inputs_most * outputs_most]u8,
        scales: [blocks_most * outputs_most]f32,
        bias: [outputs_most]f32,
        x: [rows_most * inputs_most]f32,
        blocks: [rows_most * blocks_most]Block,
        y: [rows_most * outputs_most]f32,
        alone: [outputs_most]f32,

        fn fill(case: *Self, random: std.Random) void {
            random.bytes(&case.integers);
            for (&case.scales) |*scale| scale.* = random.float(f32) * 0.01;
            for (&case.bias) |*value| value.* = random.floatNorm(f32);
            for (&case.x) |*value| value.* = random.floatNorm(f32);
        }

        fn weight(case: *const Self, at: usize) i32 {
            if (bits == 8) return @as(i8, @bitCast(case.integers[at]));
            return @as(i4, @bitCast(@as(u4, @truncate(case.integers[at / 2] >> @intCast(at % 2 * 4)))));
        }

        fn expected(case: *const Self, w: W, row: usize, output: usize) f32 {
            var total = case.bias[output];
            for (case.blocks[row * w.blockCount() ..][0..w.blockCount()], 0..) |*x, b| {
                const integers: *const [block]i16 = @ptrCast(&x.pairs);
                var sum: i64 = 0;
                for (0..@min(block, w.inputs - b * block)) |i| {
                    const place = i / 4 * 4 + ([4]usize{ 0, 2, 1, 3 })[i % 4];
                    sum += @as(i64, integers[place]) * case.weight((b * block + i) * w.outputs + output);
                }
                total += @as(f32, @floatFromInt(sum)) * (case.scales[b * w.outputs + output] * x.scale);
            }
            return total;
        }

        fn check(case: *Self, rows: usize, outputs: usize, inputs: usize) !void {
            const w = W{ .integers = &case.integers, .scales = &case.scales, .inputs = inputs, .outputs = outputs };
            activations.quantise(case.x[0 .. rows * inputs], inputs, case.blocks[0 .. rows * w.blockCount()]);
            const all = Rows{ .x = &case.blocks, .y = &case.y, .count = rows };
            const middle = w.tileCount() / 2;
            Product(bits).multiply(w, &case.bias, all, 0, middle);
            Product(bits).multiply(w, &case.bias, all, middle, w.tileCount());
            for (0..rows) |row| {
                const one = Rows{ .x = case.blocks[row * w.blockCount() ..].ptr, .y = &case.alone, .count = 1 };
                Product(bits).multiply(w, &case.bias, one, 0, w.tileCount());
                for (0..outputs) |output| {
                    const want: u32 = @bitCast(case.expected(w, row, output));
                    try testing.expectEqual(want, @as(u32, @bitCast(case.y[row * outputs + output])));
                    try testing.expectEqual(want, @as(u32, @bitCast(case.alone[output])));
                }
            }
        }
    };
}

test "any number of rows, outputs and inputs gives the bits of the plain loop" {
    inline for (.{ 8, 4 }) |bits| {
        const C = Case(bits);
        const case = try testing.allocator.create(C);
        defer testing.allocator.destroy(case);
        var random = std.Random.DefaultPrng.init(1);
        case.fill(random.random());
        for (1..C.rows_most + 1) |rows| try case.check(rows, 8, 128);
        for ([_]usize{ 1, 3, 63, 64, 65, 130, C.inputs_most }) |inputs| try case.check(2, C.outputs_most - 9, inputs);
        const tile = Weights(bits).tile;
        for ([_]usize{ 1, 2, 7, 8, 9, tile - 1, tile, tile + 1, C.outputs_most - 8, C.outputs_most }) |outputs| {
            try case.check(1 + outputs % 2, outputs, 64);
        }
    }
}

test "the greatest sums do not overflow" {
    const inputs = 4096;
    const outputs = 32;
    const integers: [inputs * outputs]u8 = @splat(0x80);
    const scales: [inputs / block * outputs]f32 = @splat(1);
    const worst = Block{ .pairs = @splat(@bitCast([2]i16{ -32768, -32768 })), .scale = 1, .sum = -32768 * block };
    const x: [2 * inputs / block]Block = @splat(worst);
    const w = Weights(8){ .integers = &integers, .scales = &scales, .inputs = inputs, .outputs = outputs };
    var y: [2 * outputs]f32 = undefined;
    for ([_]usize{ 1, 2 }) |rows| {
        Product(8).multiply(w, null, .{ .x = &x, .y = &y, .count = rows }, 0, 1);
        for (y[0 .. rows * outputs]) |total| try testing.expectEqual(@as(f32, inputs << 22), total);
    }
}
