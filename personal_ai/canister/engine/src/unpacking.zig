//! Takes a program file apart into what the engine reads in place (docs/formats/program.md, "Packed files"): weights of
//! 4 bits come out of storage two to a byte and lie in the heap with a byte each. In steps, each a bounded part of the
//! work; after any of them the state may rest until another message.

const std = @import("std");
const format = @import("engine/format.zig");
const matmul_i4 = @import("engine/matmul_i4.zig");
const simd = @import("engine/simd.zig");

pub const Error = error{ BadHeader, UnknownVersion, BadProgram };

const copied_at_once_bytes = 8 << 20;
const blocks_at_once = 256;
/// Nothing grows by more than this in unpacking.
pub const growth_max = 2;

/// Blocks on their way; of no use between two steps.
var stored_blocks: [blocks_at_once]matmul_i4.NibbleBlock = undefined;

pub const Unpacker = struct {
    /// Of the file, and how much of it has been read.
    file_bytes: u64,
    position: u64 = 0,
    /// Of the program, and how much of it is there.
    program_bytes: u64,
    filled: u64 = 0,
    packed_file: bool,
    packing: format.Packing = .raw,
    /// Bytes of the program that the frame still gives.
    left: u64 = 0,

    /// `source` has `read(offset, target)`, which fills `target`, for all offsets within `file_bytes`.
    pub fn begin(source: anytype, file_bytes: u64) Error!Unpacker {
        var header: format.PackedHeader = undefined;
        const whole = Unpacker{ .file_bytes = file_bytes, .program_bytes = file_bytes, .packed_file = false, .left = file_bytes };
        if (file_bytes < @sizeOf(format.PackedHeader)) return whole;
        source.read(0, std.mem.asBytes(&header));
        if (!std.mem.eql(u8, &header.magic, &format.packed_magic)) return whole;
        if (header.version != format.packed_version) return error.UnknownVersion;
        if (header.program_size_bytes > growth_max * file_bytes) return error.BadHeader;
        return .{
            .file_bytes = file_bytes,
            .position = @sizeOf(format.PackedHeader),
            .program_bytes = header.program_size_bytes,
            .packed_file = true,
        };
    }

    /// Error.BadHeader where the file goes on after the program's end.
    pub fn finished(self: *const Unpacker) Error!bool {
        if (self.filled < self.program_bytes) return false;
        return if (self.position == self.file_bytes) true else error.BadHeader;
    }

    /// The next part of the program, into its place in `target`, which holds at least `program_bytes`.
    pub fn step(self: *Unpacker, source: anytype, target: []align(format.alignment_bytes) u8) Error!void {
        if (self.left == 0) try self.beginFrame(source);
        const rest = target[@intCast(self.filled)..][0..@intCast(self.left)];
        switch (self.packing) {
            .raw => try self.copy(source, rest),
            .i4_blocks => try self.expand(source, @alignCast(rest)),
        }
    }

    fn beginFrame(self: *Unpacker, source: anytype) Error!void {
        if (!self.packed_file) return error.BadHeader;
        var frame: format.Frame = undefined;
        try self.read(source, std.mem.asBytes(&frame));
        self.packing = std.meta.intToEnum(format.Packing, frame.packing) catch return error.BadProgram;
        self.left = frame.program_size_bytes;
        if (self.left == 0 or self.left > self.program_bytes - self.filled) return error.BadProgram;
        if (self.packing == .i4_blocks) {
            if (self.filled % format.alignment_bytes != 0) return error.BadProgram;
            if (self.left % @sizeOf(matmul_i4.ByteBlock) != 0) return error.BadProgram;
        }
    }

    fn copy(self: *Unpacker, source: anytype, target: []u8) Error!void {
        const count: usize = @min(copied_at_once_bytes, target.len);
        try self.read(source, target[0..count]);
        self.advance(count);
    }

    fn expand(self: *Unpacker, source: anytype, target: []align(format.alignment_bytes) u8) Error!void {
        const blocks = std.mem.bytesAsSlice(matmul_i4.ByteBlock, target);
        const count: usize = @min(blocks_at_once, blocks.len);
        try self.read(source, std.mem.sliceAsBytes(stored_blocks[0..count]));
        for (stored_blocks[0..count], blocks[0..count]) |*from, *to| from.expand(to);
        self.advance(count * @sizeOf(matmul_i4.ByteBlock));
    }

    fn advance(self: *Unpacker, count: usize) void {
        self.filled += count;
        self.left -= count;
    }

    fn read(self: *Unpacker, source: anytype, target: []u8) Error!void {
        if (target.len > self.file_bytes - self.position) return error.BadHeader;
        source.read(self.position, target);
        self.position += target.len;
    }
};

const testing = std.testing;

const Bytes = struct {
    bytes: []const u8,

    fn read(self: Bytes, offset: u64, target: []u8) void {
        @memcpy(target, self.bytes[@intCast(offset)..][0..target.len]);
    }
};

fn unpack(file: []const u8, target: []align(format.alignment_bytes) u8) Error![]const u8 {
    const source = Bytes{ .bytes = file };
    var unpacker = try Unpacker.begin(source, file.len);
    if (unpacker.program_bytes > target.len) return error.BadProgram;
    while (!try unpacker.finished()) try unpacker.step(source, target);
    return target[0..@intCast(unpacker.program_bytes)];
}

const blocks_tested = blocks_at_once + 3;

/// 64 bytes as they are, then so many blocks, whose bytes count up.
fn example(allocator: std.mem.Allocator) ![]u8 {
    const size = 64 + blocks_tested * @sizeOf(matmul_i4.ByteBlock);
    var file: std.ArrayList(u8) = .empty;
    const header = format.PackedHeader{ .magic = format.packed_magic, .version = 1, .program_size_bytes = size };
    const raw = format.Frame{ .packing = @intFromEnum(format.Packing.raw), .program_size_bytes = 64 };
    const blocks = format.Frame{ .packing = @intFromEnum(format.Packing.i4_blocks), .program_size_bytes = size - 64 };
    try file.appendSlice(allocator, std.mem.asBytes(&header));
    try file.appendSlice(allocator, std.mem.asBytes(&raw));
    try file.appendNTimes(allocator, 7, 64);
    try file.appendSlice(allocator, std.mem.asBytes(&blocks));
    for (0..blocks_tested * @sizeOf(matmul_i4.NibbleBlock)) |i| try file.append(allocator, @truncate(i *% 31));
    return file.toOwnedSlice(allocator);
}

test "raw bytes stay, blocks get a byte for each weight, whatever the number of blocks" {
    const file = try example(testing.allocator);
    defer testing.allocator.free(file);
    const target = try testing.allocator.alignedAlloc(u8, .@"64", 64 + blocks_tested * @sizeOf(matmul_i4.ByteBlock));
    defer testing.allocator.free(target);
    const program = try unpack(file, target);
    try testing.expect(std.mem.allEqual(u8, program[0..64], 7));
    const stored = file[file.len - blocks_tested * @sizeOf(matmul_i4.NibbleBlock) ..];
    for (0..blocks_tested) |b| {
        const from = stored[b * 576 ..][0..576];
        const to = program[64 + b * 1088 ..][0..1088];
        try testing.expectEqualSlices(u8, from[0..64], to[0..64]);
        for (to[64..], 0..) |code, i| {
            const pair = from[64 + i / 32 * 16 + i % 16];
            try testing.expectEqual(if (i / 16 % 2 == 0) pair & 15 else pair >> 4, code);
        }
    }
}

test "a file that is not packed is the program" {
    var target: [64]u8 align(64) = undefined;
    for ([_][]const u8{ "PAIPROG", "PAIPROG and more than a header", "" }) |file| {
        try testing.expectEqualSlices(u8, file, try unpack(file, &target));
    }
}

test "damaged files are refused, and write nothing beyond the program" {
    const file = try example(testing.allocator);
    defer testing.allocator.free(file);
    const size = 64 + blocks_tested * @sizeOf(matmul_i4.ByteBlock);
    const target = try testing.allocator.alignedAlloc(u8, .@"64", size);
    defer testing.allocator.free(target);
    try testing.expectError(error.BadHeader, unpack(file[0 .. file.len - 1], target));
    const changes = [_]struct { usize, u32, Error }{
        .{ 8, 2, error.UnknownVersion },
        .{ 12, 0xffff_ffff, error.BadHeader }, // larger than it can become
        .{ 12, size - 64, error.BadProgram }, // a frame beyond the end
        .{ 12, 64, error.BadHeader }, // more frames than program
        .{ 16, 3, error.BadProgram }, // no such packing
        .{ 16, 2, error.BadProgram }, // no whole block
        .{ 20, 0, error.BadProgram },
        .{ 20, 0xffff_ffff, error.BadProgram },
        .{ 20, 32, error.BadProgram },
    };
    for (changes) |change| {
        const at, const word, const expected = change;
        const before = file[at..][0..4].*;
        std.mem.writeInt(u32, file[at..][0..4], word, .little);
        try testing.expectError(expected, unpack(file, target));
        file[at..][0..4].* = before;
    }
    _ = try unpack(file, target);
}
