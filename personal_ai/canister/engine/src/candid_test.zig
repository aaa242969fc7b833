//! What the writer writes, the reader reads; whatever else the reader is given, it answers with an error and ends.

const std = @import("std");
const candid = @import("candid.zig");
const decoding = @import("candid_decode.zig");
const encode = @import("candid_encode.zig").encode;

const Text = candid.Text;
const Blob = candid.Blob;
const testing = std.testing;

/// What is written: more fields than are read.
const Written = struct {
    name: Text,
    extra: ?Extra,
    files: []const File,
    chunk_hashes: Blob,
    tokens: []const u32,
    nested: []const []const u32,
    flag: bool,
    balance: candid.Nat,
    choice: union(enum) { none, some: u64, deep: struct { x: Text } },
};
const Extra = struct { why: Text, list: []const ?u64 };
const File = struct { name: Text, size_bytes: u64 };

/// What is read.
const Read = struct {
    name: Text,
    files: decoding.Vec(File),
    chunk_hashes: Blob,
    tokens: candid.Nat32s,
    nested: decoding.Vec(candid.Nat32s),
    flag: bool,
};

const sample = Written{
    .name = .{ .bytes = "môdel" },
    .extra = .{ .why = .{ .bytes = "later clients may say more" }, .list = &.{ null, 7 } },
    .files = &.{
        .{ .name = .{ .bytes = "program" }, .size_bytes = 1 << 40 },
        .{ .name = .{ .bytes = "tokenizer.json" }, .size_bytes = 0 },
    },
    .chunk_hashes = .{ .bytes = &([_]u8{0xab} ** 64) },
    .tokens = &.{ 1, 0xffff_ffff, 3 },
    .nested = &.{ &.{}, &.{ 5, 6 } },
    .flag = true,
    .balance = .{ .value = std.math.maxInt(u128) },
    .choice = .{ .deep = .{ .x = .{ .bytes = "y" } } },
};

fn read(comptime T: type, message: []const u8, types: *decoding.Types) decoding.Error!T {
    return (try decoding.decode(struct { T }, message, types))[0];
}

test "a record goes there and back, unknown fields are skipped" {
    var buffer: [2000]u8 = undefined;
    var types = decoding.Types{};
    const got = try read(Read, try encode(Written, sample, &buffer), &types);
    try testing.expectEqualStrings("môdel", got.name.bytes);
    try testing.expectEqualSlices(u8, sample.chunk_hashes.bytes, got.chunk_hashes.bytes);
    try testing.expectEqual(@as(usize, 3), got.tokens.count());
    try testing.expectEqual(@as(u32, 0xffff_ffff), got.tokens.at(1));
    var files = got.files.iterator();
    for (sample.files) |file| {
        const other = files.next().?;
        try testing.expectEqualStrings(file.name.bytes, other.name.bytes);
        try testing.expectEqual(file.size_bytes, other.size_bytes);
    }
    try testing.expectEqual(null, files.next());
    var nested = got.nested.iterator();
    try testing.expectEqual(@as(usize, 0), nested.next().?.count());
    try testing.expectEqual(@as(u32, 6), nested.next().?.at(1));
    try testing.expect(got.flag);
}

test "every cut and every longer message is refused" {
    var buffer: [2000]u8 = undefined;
    var types = decoding.Types{};
    const message = try encode(Written, sample, &buffer);
    for (0..message.len) |length| {
        try testing.expectError(error.Malformed, read(Read, message[0..length], &types));
    }
    try testing.expectError(error.Malformed, read(Read, buffer[0 .. message.len + 1], &types));
}

test "other types are told apart" {
    var buffer: [100]u8 = undefined;
    var types = decoding.Types{};
    const message = try encode(u32, 7, &buffer);
    try testing.expectEqual(@as(u32, 7), try read(u32, message, &types));
    try testing.expectError(error.WrongType, read(u64, message, &types));
    try testing.expectError(error.WrongType, read(Text, message, &types));
    try testing.expectError(error.WrongType, read(Blob, message, &types));
    try testing.expectError(error.WrongType, read(Read, message, &types));
    try testing.expectError(error.WrongType, decoding.decode(struct { u32, u32 }, message, &types));
    _ = try decoding.decode(struct {}, message, &types);
    try testing.expectError(error.TooLong, encode(Text, .{ .bytes = "x" ** 100 }, &buffer));
}

test "messages that would take long or go deep" {
    var types = decoding.Types{};
    // vec null with 2^32 - 1 items
    try testing.expectError(error.TooComplex, decoding.decode(struct {}, "DIDL\x01\x6d\x7f\x01\x00\xff\xff\xff\xff\x0f", &types));
    // type 0 = opt 0, value: some (some (some …
    try testing.expectError(error.TooComplex, decoding.decode(struct {}, "DIDL\x01\x6e\x00\x01\x00" ++ "\x01" ** 100, &types));
    // type 0 = record { 0 : type 0 }: never ends
    try testing.expectError(error.TooComplex, decoding.decode(struct {}, "DIDL\x01\x6c\x01\x00\x00\x01\x00", &types));
    // a table longer than allowed, fields out of order, a reference past the table, a service
    try testing.expectError(error.TooComplex, decoding.decode(struct {}, "DIDL\xff\x01" ++ "\x6e\x7f" ** 255 ++ "\x00", &types));
    try testing.expectError(error.Malformed, decoding.decode(struct {}, "DIDL\x01\x6c\x02\x05\x7f\x05\x7f\x00", &types));
    try testing.expectError(error.Malformed, decoding.decode(struct {}, "DIDL\x01\x6e\x01\x00", &types));
    try testing.expectError(error.Malformed, decoding.decode(struct {}, "DIDL\x01\x69\x00\x00", &types));
}

test "changed messages are read or refused, and never anything else" {
    const seeds_count = 4;
    var buffers: [seeds_count][2000]u8 = undefined;
    const seeds = [seeds_count][]const u8{
        try encode(Written, sample, &buffers[0]),
        try encode([]const File, sample.files, &buffers[1]),
        try encode(Extra, sample.extra.?, &buffers[2]),
        try encode(u32, 7, &buffers[3]),
    };
    var prng = std.Random.DefaultPrng.init(2);
    const random = prng.random();
    var types = decoding.Types{};
    var accepted: usize = 0;
    for (0..50_000) |round| {
        const seed = seeds[if (round % 2 == 0) 0 else random.uintLessThan(usize, seeds_count)];
        var changed: [2000]u8 = undefined;
        @memcpy(changed[0..seed.len], seed);
        for (0..random.uintLessThan(usize, 4)) |_| {
            changed[random.uintLessThan(usize, seed.len)] = switch (random.uintLessThan(u8, 3)) {
                0 => random.int(u8),
                1 => 0x60 + random.uintLessThan(u8, 32),
                else => random.uintLessThan(u8, 12),
            };
        }
        const length = if (random.uintLessThan(u8, 8) == 0) random.uintAtMost(usize, seed.len) else seed.len;
        const got = read(Read, changed[0..length], &types) catch continue;
        accepted += 1;
        var files = got.files.iterator();
        while (files.next()) |file| std.mem.doNotOptimizeAway(file.size_bytes);
        var nested = got.nested.iterator();
        while (nested.next()) |item| std.mem.doNotOptimizeAway(item.count());
    }
    try testing.expect(accepted > 1000); // the changes reach past the header
}
