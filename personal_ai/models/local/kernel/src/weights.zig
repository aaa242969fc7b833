//! Quantised matrices [inputs, outputs] as they lie in a package's file (docs/formats/onnx-graph.md), and how four of
//! their rows become what `simd.accumulated` multiplies.
//!
//! An integer w is taken as w + 2^(bits-1), which is no less than 0: so halves of bytes and of words are cut out by a
//! mask or a shift alone. What that adds to a sum is the same for all outputs (activations.zig).

const simd = @import("simd.zig");
const I16x16 = simd.I16x16;
const I32x8 = simd.I32x8;
const U16x16 = simd.U16x16;
const U8x32 = simd.U8x32;

pub const block = 64; // inputs that share a scale
pub const quad = 4; // inputs that are taken apart together
pub const tile_bytes = 32; // of a row

/// Eight outputs of the inputs 0 and 2 of a quad, then of 1 and 3; each as pairs.
pub const Pairs = [2]I16x16;

/// A matrix of integers of 8 or of 4 bits.
pub fn Weights(comptime bits: comptime_int) type {
    return struct {
        const Self = @This();
        pub const offset = 1 << (bits - 1);
        pub const tile = tile_bytes * 8 / bits; // outputs
        pub const twins = tile / 16; // a twin is two vectors of outputs that `ordered` puts in order
        const sign_bits: U8x32 = @splat(if (bits == 8) 0x80 else 0x88);

        integers: [*]const u8, // row by row; two of four bits to a byte, the first in the low half
        scales: [*]const f32, // [blocks, outputs]
        inputs: usize,
        outputs: usize,

        pub fn blockCount(self: Self) usize {
            return (self.inputs + block - 1) / block;
        }

        pub fn tileCount(self: Self) usize {
            return (self.outputs + tile - 1) / tile;
        }

        /// The blocks and the tiles from 0 on that `rowsOf` gives where they lie, without a copy.
        pub fn wholeBlocks(self: Self) usize {
            return if (self.rowsAreBytes()) self.inputs / block else 0;
        }

        pub fn wholeTiles(self: Self) usize {
            return if (self.rowsAreBytes()) self.outputs / tile else 0;
        }

        fn rowsAreBytes(self: Self) bool {
            return bits == 8 or self.outputs % 2 == 0;
        }

        /// Of whole rows.
        pub fn rowBytes(self: Self) usize {
            return self.outputs * bits / 8;
        }

        /// The first bytes of a tile of a block, and how far it is from one row to the next. What is not whole is put
        /// together in `copy`, filled up with zeros: they meet activations of 0, or give outputs that nobody reads.
        pub fn rowsOf(self: Self, b: usize, t: usize, copy: *[block][tile_bytes]u8) struct { [*]const u8, usize } {
            const first = b * block * self.rowBytes() + t * tile_bytes;
            if (b < self.wholeBlocks() and t < self.wholeTiles()) return .{ self.integers + first, self.rowBytes() };
            copy.* = @splat(@splat(0));
            const columns = @min(tile, self.outputs - t * tile);
            for (copy[0..@min(block, self.inputs - b * block)], b * block..) |*row, input| {
                for (0..columns) |i| {
                    const at = input * self.outputs + t * tile + i;
                    if (bits == 8) row[i] = self.integers[at] else {
                        row[i / 2] |= (self.integers[at / 2] >> @intCast(at % 2 * 4) & 15) << @intCast(i % 2 * 4);
                    }
                }
            }
            return .{ &copy[0], tile_bytes };
        }

        /// A tile of four rows. Twin i of it: outputs 8i to 8i + 7 and as many from the middle of the tile + 8i on, not
        /// yet in order.
        pub inline fn pairsOf(rows: [quad][*]const u8) [twins][2]Pairs {
            @setEvalBranchQuota(100_000);
            var x: [quad]U8x32 = undefined;
            inline for (&x, rows) |*to, from| to.* = @as(U8x32, from[0..tile_bytes].*) ^ sign_bits;
            var quads: [4]U16x16 = undefined; // each lane of 32 bits: a byte of each row
            inline for (.{ simd.interleavedLow, simd.interleavedHigh }, 0..) |interleaved, i| {
                const first: U16x16 = @bitCast(interleaved(U8x32, x[0], x[1]));
                const last: U16x16 = @bitCast(interleaved(U8x32, x[2], x[3]));
                quads[2 * i] = simd.interleavedLow(U16x16, first, last);
                quads[2 * i + 1] = simd.interleavedHigh(U16x16, first, last);
            }
            var found: [twins][2]Pairs = undefined;
            if (bits == 8) {
                inline for (quads, 0..) |q, i| found[i / 2][i % 2] = .{ cut(q, 0), cut(q, 8) };
            } else {
                inline for (quads, 0..) |q, i| found[i] = .{ .{ cut(q, 0), cut(q, 8) }, .{ cut(q, 4), cut(q, 12) } };
            }
            return found;
        }

        inline fn cut(words: U16x16, comptime shift: comptime_int) I16x16 {
            const shifted = words >> @splat(shift);
            return @bitCast(if (shift + bits == 16) shifted else shifted & @as(U16x16, @splat((1 << bits) - 1)));
        }

        /// What a twin became, in order: eight outputs of the tile's first half and eight of its second.
        pub inline fn ordered(twin: [2]I32x8) [2]I32x8 {
            if (bits == 8) return .{ simd.firstHalves(twin[0], twin[1]), simd.secondHalves(twin[0], twin[1]) };
            const low = simd.interleavedLow(I32x8, twin[0], twin[1]);
            const high = simd.interleavedHigh(I32x8, twin[0], twin[1]);
            return .{ simd.firstHalves(low, high), simd.secondHalves(low, high) };
        }
    };
}
