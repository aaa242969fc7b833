//! Activations of 16 bits times weights of 8 or 4 bits: the arithmetic of the canister's engine (engine/matmul_i8.zig).
//!
//! For each block of 64 inputs in order: s = sum of the 64 products in i32 (exact in any order, see below);
//! y = y + f32(s) * (weight scale * activation scale); y begins as the bias or 0. Nothing in it depends on how many rows
//! are computed together, nor on how many threads share the work: `one` and `many` differ in the order of their loops only.
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
            if (rows.count > 1) {
                for (first..end) |t| many(w, rows, t, 0);
                return;
            }
            const whole = @max(@min(end, w.wholeTiles()), first);
            var t = first;
            while (t < whole) : (t += stretch_tiles) one(w, rows, t, @min(stretch_tiles, whole - t));
            const done = w.wholeBlocks();
            if (done < w.blockCount()) for (first..whole) |next| many(w, rows, next, done);
            for (whole..end) |next| many(w, rows, next, 0);
        }

        /// One row, whole blocks of some tiles. Memory is read row by row, from its beginning to its end.
        fn one(w: W, rows: Rows, first: usize, count: usize) void {
            const row_bytes = w.rowBytes();
            const last = w.wholeBlocks() * quads;
            var source = w.integers + first * tile_bytes;
            var sums: [stretch_tiles]Twins = undefined;
            for (0..last) |i| {
                const x = &rows.x[i / quads];
                if (i % quads == 0) @memset(sums[0..count], begin(x));
                const q = i % quads;
                const pairs = [2]I16x16{ simd.repeatedPair(x.pairs[2 * q]), simd.repeatedPair(x.pairs[2 * q + 1]) };
                const ahead = if (i + 1 < last) source + quad * row_bytes else source;
                for (sums[0..count], 0..) |*twins, t| {
                    if (t % (line_bytes / tile_bytes) == 0) inline for (0..quad) |r| {
                        @prefetch(ahead + r * row_bytes + t * tile_bytes, .{});
                    };
                    add(twins, rowsFrom(source + t * tile_bytes, row_bytes), pairs);
                }
                source += quad * row_bytes;
                if (q + 1 == quads) for (sums[0..count], first..) |twins, t| finish(w, i / quads, t, twins, x.scale, rows.y);
            }
        }

        inline fn add(twins: *Twins, rows: [quad][*]const u8, pairs: [2]I16x16) void {
            const spread = W.pairsOf(rows);
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
                    switch (rows.count - row) {
                        inline 1...4 => |rest| row += group(rest, &panel, count, rows.x + row * w.blockCount() + b, w.blockCount(), results[row..]),
                        else => row += group(5, &panel, count, rows.x + row * w.blockCount() + b, w.blockCount(), results[row..]),
                    }
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

        /// Adds `blocks` blocks of `rows` rows; `stride` is the number of blocks of a row. Gives `rows`.
        noinline fn group(comptime rows: usize, panel: *const Panel, blocks: usize, x: [*]const Block, stride: usize, results: [][W.twins][2]F32x8) usize {
            for (0..W.twins) |i| for (0..blocks) |b| {
                const first = x + b;
                var sums: [rows][2]I32x8 = undefined;
                inline for (&sums, 0..) |*sum, r| sum.* = begin(&first[r * stride])[0];
                const pairs: *const [2 * quads][2]I16x16 = @ptrCast(&panel.pairs[b][i]);
                for (pairs, 0..) |both, p| {
                    inline for (&sums, 0..) |*sum, r| {
                        const pair = simd.repeatedPair(first[r * stride].pairs[p]);
                        inline for (sum, 0..) |*half, h| half.* = simd.accumulated(half.*, both[h], pair);
                    }
                }
                inline for (sums, 0..) |sum, r| {
                    const scale = splat(first[r * stride].scale);
                    inline for (W.ordered(sum), &results[r][i], panel.scales[b][i]) |total, *y, factor| {
                        y.* += toFloat(total) * (factor * scale);
                    }
                }
            };
            return rows;
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
