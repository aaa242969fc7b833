//! The mixture of kept values by their weights.

const format = @import("../format.zig");
const kept = @import("kept.zig");
const simd = @import("../simd.zig");
const spans = @import("span.zig");
const Kept = kept.Kept;
const Scratch = spans.Scratch;
const Span = spans.Span;
const F32x4 = simd.F32x4;
const I16x8 = simd.I16x8;

const group = format.group;
const block = spans.block;
const chunk = spans.chunk;
const chunk_groups = chunk / group;

/// target = factor * sum of weight * value
pub fn mix(values: Kept, head: usize, head_size: usize, span: Span, scratch: Scratch, factor: f32, target: [*]F32x4) void {
    const region = values.at(span.base / group, head, head_size);
    const weights = Weights{
        .pairs = @ptrCast(scratch.weights),
        .scales = scratch.weight_scales,
        .chunk_count = span.chunkCount(),
        .first_block_chunks = span.firstBlockChunks(),
        .factor = factor,
    };
    var done: usize = 0;
    inline for (.{ 16, 8, 4, 2 }) |size| {
        while (head_size / 4 - done >= size) : (done += size) {
            Mix(size).run(kept.numbersOf(region) + 2 * done, values.strideVectors() * 2, &weights, target + done);
        }
    }
}

const Weights = struct {
    pairs: [*]const [chunk / 2]i32,
    scales: [*]const f32,
    chunk_count: usize,
    first_block_chunks: usize,
    factor: f32,
};

/// `size` vectors of four elements of the values, all positions. stride: of groups, in eights of numbers.
fn Mix(comptime size: usize) type {
    return struct {
        noinline fn run(first: [*]const [8]i8, stride: usize, weights: *const Weights, target: [*]F32x4) void {
            var values = first;
            var at: usize = 0;
            var stop = weights.first_block_chunks;
            var scale = weights.scales;
            while (at < weights.chunk_count) {
                stop = @min(stop, weights.chunk_count);
                var sums: [size]simd.I32x4 = undefined;
                inline for (0..size) |i| sums[i] = @splat(0);
                while (at < stop) : (at += 1) {
                    addChunk(values, stride, &weights.pairs[at], &sums);
                    values += chunk_groups * stride;
                }
                const unit = simd.splat(scale[0] * weights.factor);
                if (scale == weights.scales) {
                    inline for (0..size) |i| target[i] = simd.toFloat(sums[i]) * unit;
                } else {
                    inline for (0..size) |i| target[i] += simd.toFloat(sums[i]) * unit;
                }
                stop += block / chunk;
                scale += 1;
            }
        }

        inline fn addChunk(
            first: [*]const [8]i8,
            stride: usize,
            pairs: *const [chunk / 2]i32,
            sums: *[size]simd.I32x4,
        ) void {
            var values: [chunk_groups][*]const [8]i8 = undefined;
            inline for (0..chunk_groups) |i| {
                values[i] = simd.opaquePointer(if (i == 0) first else values[i - 1] + stride);
            }
            var weights: [chunk / 2]I16x8 = undefined;
            inline for (0..chunk / 2) |i| weights[i] = simd.repeatedPair(pairs[i]);
            inline for (0..size) |i| {
                inline for (0..chunk / 2) |j| {
                    sums[i] +%= simd.dot(simd.widened(values[j / 2][2 * i + j % 2]), weights[j]);
                }
            }
        }
    };
}
