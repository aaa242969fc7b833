//! Keys and values as 8-bit numbers: how they lie, and how those of a position are written.
//!
//! Positions lie in groups of four. Of each head a group keeps four f32 scales (one per position), then its numbers: of
//! keys, pair by pair of elements, the pair of each of the four positions; of values, for each four elements, those of
//! positions 0 and 1 in turn, then those of 2 and 3. So one `dot` scores two elements of four keys, or mixes two
//! positions of four elements, and neither ends in a sum across lanes.

const format = @import("../format.zig");
const hadamard = @import("../hadamard.zig");
const quantise = @import("../quantise.zig");
const simd = @import("../simd.zig");
const Scratch = @import("span.zig").Scratch;
const F32x4 = simd.F32x4;
const I16x8 = simd.I16x8;

/// The greatest number that is kept.
pub const level = 127;
const group = format.group;

/// Keys or values: groups of four positions at equal distances, in each the regions of all heads.
pub const Kept = struct {
    base: [*]align(16) u8,
    group_stride_bytes: usize,

    pub fn at(kept: Kept, group_index: usize, head: usize, head_size: usize) Region {
        const start: Region = @ptrCast(@alignCast(kept.base + group_index * kept.group_stride_bytes));
        return start + head * (1 + head_size / 4);
    }

    pub fn strideVectors(kept: Kept) usize {
        return kept.group_stride_bytes / @sizeOf(F32x4);
    }
};

/// A head in a group: a vector of scales, then the numbers.
pub const Region = [*]F32x4;

pub inline fn numbersOf(region: [*]const F32x4) [*]const [8]i8 {
    return @ptrCast(region + 1);
}

/// Bytes that a position takes.
pub fn rowSizeBytes(heads: u64, head_size: u64) u64 {
    return heads * (4 + head_size);
}

/// Turned, as queries are.
pub fn keepKey(from: [*]const F32x4, keys: Kept, head: usize, position: usize, head_size: usize, scratch: Scratch) void {
    const region = keys.at(position / group, head, head_size);
    const lane = position % group;
    hadamard.turn(from, scratch.turned, head_size);
    const scales: [*]f32 = @ptrCast(region);
    scales[lane] = quantise.span(level, scratch.turned, scratch.numbers, head_size / 8);
    var target: [*][group]i16 = @ptrCast(region + 1);
    for (scratch.numbers[0 .. head_size / 8]) |numbers| {
        const pairs: I16x8 = @bitCast(simd.narrowToBytes(numbers, numbers));
        const to = simd.opaquePointer(target);
        inline for (0..4) |i| to[i][lane] = pairs[i];
        target = to + 4;
    }
}

pub fn keepValue(from: [*]const F32x4, values: Kept, head: usize, position: usize, head_size: usize, scratch: Scratch) void {
    const region = values.at(position / group, head, head_size);
    const lane = position % group;
    const scales: [*]f32 = @ptrCast(region);
    scales[lane] = quantise.span(level, from, scratch.numbers, head_size / 8);
    const first: [*]i8 = @ptrCast(region + 1);
    var target = first + lane / 2 * 8 + lane % 2;
    for (scratch.numbers[0 .. head_size / 8]) |numbers| {
        const elements = simd.narrowToBytes(numbers, numbers);
        const to = simd.opaquePointer(target);
        inline for (0..8) |i| to[i / 4 * 16 + i % 4 * 2] = elements[i];
        target = to + 32;
    }
}
