//! The positions that a token sees, and memory for their scores and weights.

const std = @import("std");
const format = @import("../format.zig");
const simd = @import("../simd.zig");
const F32x4 = simd.F32x4;
const I16x8 = simd.I16x8;

const group = format.group;
/// Positions whose values are mixed at once.
pub const chunk = format.state_chunk;
/// Positions whose weights share a scale.
pub const block = 512;

/// The positions first..end that a token sees. Scores and weights lie from the chunk on that `first` is in.
pub const Span = struct {
    first: usize,
    end: usize,
    base: usize,

    pub fn of(first: usize, end: usize) Span {
        return .{ .first = first, .end = end, .base = first / chunk * chunk };
    }

    pub fn firstGroup(span: Span) usize {
        return span.first / group;
    }

    pub fn endGroup(span: Span) usize {
        return (span.end + group - 1) / group;
    }

    pub fn chunkCount(span: Span) usize {
        return (span.end - span.base + chunk - 1) / chunk;
    }

    /// Chunks up to the end of the block that the first one is in.
    pub fn firstBlockChunks(span: Span) usize {
        return (block - span.base % block) / chunk;
    }

    /// Those of the groups that it touches.
    pub fn scores(span: Span, scratch: Scratch) []F32x4 {
        const base = span.base / group;
        return scratch.scores[span.firstGroup() - base .. span.endGroup() - base];
    }

    /// Sets the scores in its first and last group that do not count.
    pub fn setOthers(span: Span, all: []F32x4, value: f32) void {
        const flat: [*]f32 = @ptrCast(all.ptr);
        for (0..span.first % group) |i| flat[i] = value;
        for (span.end - span.firstGroup() * group..all.len * group) |i| flat[i] = value;
    }

    /// Makes the weights in its first and last chunk 0 that do not count.
    pub fn clearOthers(span: Span, weights: [*]I16x8) void {
        const last = span.chunkCount() - 1;
        clear(weights, span.first - span.base, chunk);
        clear(weights + last * chunk / 8, 0, span.end - span.base - last * chunk);
    }

    fn clear(weights: [*]I16x8, first: usize, end: usize) void {
        const zero: I16x8 = @splat(0);
        inline for (0..chunk / 8) |i| {
            const at = std.simd.iota(i16, 8) + @as(I16x8, @splat(8 * i));
            const begun = @select(i16, at >= @as(I16x8, @splat(@intCast(first))), weights[i], zero);
            weights[i] = @select(i16, at < @as(I16x8, @splat(@intCast(end))), begun, zero);
        }
    }
};

/// Memory for one head at one position.
pub const Scratch = struct {
    scores: [*]F32x4,
    weights: [*]I16x8,
    weight_scales: [*]f32,
    turned: [*]F32x4,
    numbers: [*]I16x8,

    pub fn of(memory: [*]align(64) u8, context_length_max: usize) Scratch {
        const padded = paddedLength(context_length_max);
        const weights = memory + padded * 4;
        const scales = weights + padded * 2;
        const turned = scales + scalesSizeBytes(padded);
        return .{
            .scores = @ptrCast(memory),
            .weights = @ptrCast(@alignCast(weights)),
            .weight_scales = @ptrCast(@alignCast(scales)),
            .turned = @ptrCast(@alignCast(turned)),
            .numbers = @ptrCast(@alignCast(turned + format.kept_head_size_max * 4)),
        };
    }

    fn paddedLength(context_length_max: usize) usize {
        return std.mem.alignForward(usize, context_length_max, format.block);
    }

    /// Positions may begin and end inside of a block.
    fn scalesSizeBytes(padded: usize) usize {
        return std.mem.alignForward(usize, (padded / block + 2) * @sizeOf(f32), 64);
    }
};

pub fn scratchSizeBytes(context_length_max: usize) usize {
    const padded = Scratch.paddedLength(context_length_max);
    return padded * 6 + Scratch.scalesSizeBytes(padded) + format.kept_head_size_max * 6;
}
