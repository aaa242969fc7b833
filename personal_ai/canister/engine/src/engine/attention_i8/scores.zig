//! Scores of a query against kept keys.

const std = @import("std");
const format = @import("../format.zig");
const hadamard = @import("../hadamard.zig");
const kept = @import("kept.zig");
const quantise = @import("../quantise.zig");
const simd = @import("../simd.zig");
const spans = @import("span.zig");
const Kept = kept.Kept;
const Scratch = spans.Scratch;
const Shape = @import("../attention.zig").Shape;
const Span = spans.Span;
const F32x4 = simd.F32x4;
const I16x8 = simd.I16x8;

const query_level = 32767;

comptime {
    std.debug.assert(format.block * kept.level * query_level <= std.math.maxInt(i32)); // of one sum
}

/// Scores times log2 e of the span's groups.
pub fn score(query: [*]const F32x4, keys: Kept, head: usize, shape: Shape, span: Span, scratch: Scratch) void {
    hadamard.turn(query, scratch.turned, shape.head_size);
    const scale = quantise.span(query_level, scratch.turned, scratch.numbers, shape.head_size / 8);
    const factor = scale * (shape.scale * std.math.log2e) / hadamard.growth(shape.head_size);
    const scores = span.scores(scratch);
    const region = keys.at(span.firstGroup(), head, shape.head_size);
    const pairs: [*]const i32 = @ptrCast(scratch.numbers);
    const pair_count = shape.head_size / 2;
    var done: usize = 0;
    inline for (.{ 32, 16, 8, 4 }) |size| {
        while (pair_count - done >= size) : (done += size) {
            if (done == 0) {
                Score(size, true).run(pairs, 0, factor, region, keys.strideVectors(), scores);
            } else {
                Score(size, false).run(pairs + done, done, factor, region, keys.strideVectors(), scores);
            }
        }
    }
}

/// `size` pairs of elements of one query, from `done` on, against groups of four keys; the first pairs begin the sums.
fn Score(comptime size: usize, comptime begins: bool) type {
    return struct {
        noinline fn run(
            query: [*]const i32,
            done: usize,
            factor: f32,
            first: [*]const F32x4,
            stride: usize,
            scores: []F32x4,
        ) void {
            var q: [size]I16x8 = undefined;
            inline for (0..size) |i| q[i] = simd.repeatedPair(query[i]);
            var next = first;
            var target = scores.ptr;
            const end = target + scores.len;
            inline for (.{ 4, 1 }) |unroll| {
                const stop = target + (end - target) / unroll * unroll;
                while (target != stop) {
                    const sums = simd.opaquePointer(target);
                    inline for (0..unroll) |i| {
                        const region = simd.opaquePointer(next);
                        const part = products(&q, region, done) * (region[0] * simd.splat(factor));
                        sums[i] = if (begins) part else sums[i] + part;
                        next = region + stride;
                    }
                    target = sums + unroll;
                }
            }
        }

        inline fn products(q: *const [size]I16x8, region: [*]const F32x4, done: usize) F32x4 {
            const keys = if (begins) kept.numbersOf(region) else simd.opaquePointer(kept.numbersOf(region) + done);
            var sums = simd.dot(simd.widened(keys[0]), q[0]);
            inline for (1..size) |i| sums +%= simd.dot(simd.widened(keys[i]), q[i]);
            return simd.toFloat(sums);
        }
    };
}
