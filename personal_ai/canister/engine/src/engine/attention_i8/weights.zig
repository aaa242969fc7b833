//! Weights of the values that a query has scored.

const std = @import("std");
const format = @import("../format.zig");
const functions = @import("../functions.zig");
const kept = @import("kept.zig");
const quantise = @import("../quantise.zig");
const simd = @import("../simd.zig");
const spans = @import("span.zig");
const Kept = kept.Kept;
const Scratch = spans.Scratch;
const Span = spans.Span;
const F32x4 = simd.F32x4;

const group = format.group;
const block = spans.block;
const chunk = spans.chunk;
const chunk_groups = chunk / group;
const level = 32767;

comptime {
    std.debug.assert(block * kept.level * level <= std.math.maxInt(i32)); // of one sum of the mixture
}

/// Turns scores into quantised weights and gives 1 / (the sum of the weights before the values' scales).
pub fn weigh(scores: []F32x4, values: Kept, head: usize, head_size: usize, span: Span, scratch: Scratch) f32 {
    span.setOthers(scores, -std.math.inf(f32));
    const base = span.base / group;
    var exponentials = Exponentials{
        .greatest = simd.splat(simd.greatest(greatestOf(scores))),
        .scales = values.at(span.firstGroup(), head, head_size),
        .stride = values.strideVectors(),
    };
    var chunks: usize = 0;
    var stop = span.firstBlockChunks();
    var index: usize = 0;
    var group_index = span.firstGroup() - base;
    while (chunks < span.chunkCount()) : (index += 1) {
        stop = @min(stop, span.chunkCount());
        const end = @min(stop * chunk_groups, span.endGroup() - base);
        const most = exponentials.run(scratch.scores[group_index..end]);
        const from = scratch.scores + chunks * chunk_groups;
        const to = scratch.weights + chunks * (chunk / 8);
        scratch.weight_scales[index] = quantise.known(level, most, from, to, (stop - chunks) * (chunk / 8));
        group_index = end;
        chunks = stop;
        stop += block / chunk;
    }
    span.clearOthers(scratch.weights);
    return 1 / simd.sum(exponentials.total);
}

fn greatestOf(scores: []const F32x4) F32x4 {
    const unroll = 4;
    var most = scores[0];
    var next = scores.ptr;
    const end = next + scores.len;
    const whole = next + scores.len / unroll * unroll;
    while (next != whole) : (next += unroll) {
        const s = simd.opaquePointer(next);
        inline for (0..unroll) |i| most = simd.greater(most, s[i]);
    }
    while (next != end) : (next += 1) most = simd.greater(most, next[0]);
    return most;
}

/// Makes scores 2^(score - greatest) times their value's scale.
const Exponentials = struct {
    greatest: F32x4,
    /// The region of the next group's values.
    scales: [*]const F32x4,
    stride: usize,
    /// Sums without the scales.
    total: F32x4 = simd.splat(0),

    const unroll = 4;

    /// Gives the greatest with its scale.
    noinline fn run(self: *Exponentials, scores: []F32x4) f32 {
        var total = self.total;
        var most = simd.splat(0);
        var scales = self.scales;
        const greatest = self.greatest;
        const stride = self.stride;
        var target = scores.ptr;
        const end = target + scores.len;
        const whole = target + scores.len / unroll * unroll;
        while (target != whole) : (target += unroll) {
            const t = simd.opaquePointer(target);
            inline for (0..unroll) |i| {
                scales = simd.opaquePointer(scales);
                const weight = functions.powerOfTwo(t[i] - greatest);
                total += weight;
                t[i] = weight * scales[0];
                most = simd.greater(most, t[i]);
                scales += stride;
            }
        }
        while (target != end) : (target += 1) {
            const weight = functions.powerOfTwo(target[0] - greatest);
            total += weight;
            target[0] = weight * scales[0];
            most = simd.greater(most, target[0]);
            scales += stride;
        }
        self.scales = scales;
        self.total = total;
        return simd.greatest(most);
    }
};
