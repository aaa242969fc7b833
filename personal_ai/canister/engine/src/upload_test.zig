//! Uploads against a fake stable memory: any order, repeats, wrong bytes, replacement, sharing, upgrades.

const std = @import("std");
const candid = @import("candid.zig");
const decoding = @import("candid_decode.zig");
const encode = @import("candid_encode.zig").encode;
const ic0 = @import("ic0.zig");
const interface = @import("interface.zig");
const manifest = @import("manifest.zig");
const sha256 = @import("sha256.zig");
const store = @import("store.zig");
const upload = @import("upload.zig");

const testing = std.testing;
const chunk_size_bytes = manifest.chunk_size_bytes;

const WrittenManifest = struct { name: candid.Text, files: []const interface.File, chunk_hashes: candid.Blob };

/// Bytes to upload and what the canister is told of them.
pub const Model = struct {
    name: []const u8 = "test",
    files: []const interface.File,
    content: []const u8,

    fn hashes(self: Model, buffer: []sha256.Digest) []sha256.Digest {
        const count = std.math.divCeil(usize, self.content.len, chunk_size_bytes) catch unreachable;
        for (buffer[0..count], 0..) |*hash, i| hash.* = sha256.hash(self.chunk(@intCast(i)));
        return buffer[0..count];
    }

    pub fn chunk(self: Model, index: u32) []const u8 {
        const start = @as(usize, index) * chunk_size_bytes;
        return self.content[start..@min(start + chunk_size_bytes, self.content.len)];
    }
};

pub fn begin(model: Model) !interface.UploadState {
    var hashes: [8]sha256.Digest = undefined;
    const answer = beginWith(model.name, model.files, std.mem.sliceAsBytes(model.hashes(&hashes)));
    return if (answer == .ok) answer.ok else error.Refused;
}

pub fn beginWith(name: []const u8, files: []const interface.File, hashes: []const u8) @TypeOf(upload.begin(undefined)) {
    var buffer: [200_000]u8 = undefined;
    const written = WrittenManifest{ .name = .{ .bytes = name }, .files = files, .chunk_hashes = .{ .bytes = hashes } };
    const message = encode(WrittenManifest, written, &buffer) catch unreachable;
    var types = decoding.Types{};
    const args = decoding.decode(struct { interface.UploadManifest }, message, &types) catch unreachable;
    return upload.begin(&args[0]);
}

pub fn file(name: []const u8, size_bytes: u64) interface.File {
    return .{ .name = .{ .bytes = name }, .size_bytes = size_bytes };
}

pub fn freshStore() !void {
    ic0.fake.reset();
    try store.open();
}

/// Pseudo-random bytes; `seed` tells models apart.
pub fn makeContent(buffer: []u8, seed: u64) []const u8 {
    var random = std.Random.DefaultPrng.init(seed);
    random.random().bytes(buffer);
    return buffer;
}

var content_a: [2 * chunk_size_bytes + 777]u8 = undefined;
var content_b: [2 * chunk_size_bytes + 777]u8 = undefined;
var read_buffer: [content_a.len]u8 = undefined;

fn modelA() Model {
    const files = comptime [_]interface.File{ file("program", chunk_size_bytes + 100), file("empty", 0), file("tokenizer.json", chunk_size_bytes + 677) };
    return .{ .files = &files, .content = makeContent(&content_a, 1) };
}

test "chunks come in any order, again, and verified" {
    try freshStore();
    const model = modelA();
    try testing.expectEqual(@as(u32, 3), (try begin(model)).chunks_total);
    try testing.expectEqualSlices(u32, &.{ 0, 1, 2 }, upload.missing().ok);
    try testing.expectEqual(@as(u32, 1), upload.put(2, model.chunk(2)).ok.chunks_received);
    try testing.expectEqual(@as(u32, 1), upload.put(2, model.chunk(2)).ok.chunks_received);
    try testing.expectEqual(@as(u32, 1), upload.put(0, model.chunk(1)).err.wrong_hash.index ^ 1);
    try testing.expectEqual(@as(u32, 777), upload.put(2, model.chunk(1)).err.wrong_size.expected_bytes);
    try testing.expectEqual(@as(u32, 0), upload.put(0, "").err.wrong_size.received_bytes);
    try testing.expectEqual(@as(u32, 3), upload.put(3, model.chunk(0)).err.wrong_index.chunks_total);
    try testing.expectEqualSlices(u32, &.{ 0, 1 }, upload.missing().ok);
    try testing.expectEqual(@as(u32, 1), (try begin(model)).chunks_received); // the same manifest goes on
    _ = upload.put(1, model.chunk(1)).ok;
    try testing.expectEqual(@as(u32, 3), upload.put(0, model.chunk(0)).ok.chunks_received);
    store.read(store.staging.?, 0, &read_buffer);
    try testing.expectEqualSlices(u8, model.content, &read_buffer);
    store.read(store.staging.?, chunk_size_bytes - 3, read_buffer[0..10]);
    try testing.expectEqualSlices(u8, model.content[chunk_size_bytes - 3 ..][0..10], read_buffer[0..10]);
}

test "an upgrade in the middle loses nothing" {
    try freshStore();
    const model = modelA();
    const hash = sha256.hash((try begin(model)).hash.bytes);
    _ = upload.put(1, model.chunk(1)).ok;
    store.counters.tokens_generated = 9;
    store.writeHeader();
    store.slots = undefined;
    try store.open();
    try testing.expectEqual(@as(u64, 9), store.counters.tokens_generated);
    try testing.expectEqualSlices(u32, &.{ 0, 2 }, upload.missing().ok);
    _ = upload.put(0, model.chunk(0)).ok;
    const state = upload.put(2, model.chunk(2)).ok;
    try testing.expectEqual(hash, sha256.hash(state.hash.bytes));
    store.activateStaged();
    try store.open();
    try testing.expectEqual(null, store.staging);
    store.read(store.active.?, 0, &read_buffer);
    try testing.expectEqualSlices(u8, model.content, &read_buffer);
    try testing.expectEqualStrings("tokenizer.json", store.slots[store.active.?].manifest.files()[2].name);
}

test "chunks that the canister has are not asked for, blocks are used again" {
    try freshStore();
    const model = modelA();
    _ = try begin(model);
    for (0..3) |i| _ = upload.put(@intCast(i), model.chunk(@intCast(i))).ok;
    store.activateStaged();
    const pages = ic0.stable.sizePages();
    // Another model that shares the first two chunks with the active one.
    @memcpy(&content_b, &content_a);
    _ = makeContent(content_b[2 * chunk_size_bytes ..], 5);
    const other = Model{ .name = "other", .files = model.files, .content = &content_b };
    try testing.expectEqual(@as(u32, 2), (try begin(other)).chunks_received);
    try testing.expectEqualSlices(u32, &.{2}, upload.missing().ok);
    _ = upload.put(2, other.chunk(2)).ok;
    try testing.expectEqual(pages + 29, ic0.stable.sizePages());
    store.read(store.active.?, 0, &read_buffer);
    try testing.expectEqualSlices(u8, &content_a, &read_buffer);
    store.activateStaged();
    store.read(store.active.?, 0, &read_buffer);
    try testing.expectEqualSlices(u8, &content_b, &read_buffer);
    // The block that only the first model used serves the third.
    const third = Model{ .files = model.files, .content = makeContent(&content_a, 6) };
    _ = try begin(third);
    for (0..3) |i| _ = upload.put(@intCast(i), third.chunk(@intCast(i))).ok;
    try testing.expectEqual(pages + 3 * 29, ic0.stable.sizePages());
    store.read(store.active.?, 0, &read_buffer);
    try testing.expectEqualSlices(u8, &content_b, &read_buffer);
    try testing.expect(upload.drop() == .ok);
    _ = try begin(third);
    for (0..3) |i| _ = upload.put(@intCast(i), third.chunk(@intCast(i))).ok;
    try testing.expectEqual(pages + 3 * 29, ic0.stable.sizePages());
}

test "a replaced upload keeps what both have" {
    try freshStore();
    const model = modelA();
    _ = try begin(model);
    _ = upload.put(0, model.chunk(0)).ok;
    _ = upload.put(2, model.chunk(2)).ok;
    const renamed = Model{ .name = "renamed", .files = model.files, .content = model.content };
    try testing.expectEqual(@as(u32, 2), (try begin(renamed)).chunks_received);
    _ = upload.put(1, model.chunk(1)).ok;
    store.read(store.staging.?, 0, &read_buffer);
    try testing.expectEqualSlices(u8, model.content, &read_buffer);
}

test "nothing to put, nothing to drop, no room" {
    try freshStore();
    try testing.expect(upload.put(0, "").err == .no_upload);
    try testing.expect(upload.missing().err == .no_upload);
    try testing.expect(upload.drop().err == .no_upload);
    const model = modelA();
    _ = try begin(model);
    ic0.fake.stable_pages_most = 7 + 29;
    _ = upload.put(0, model.chunk(0)).ok;
    try testing.expect(upload.put(1, model.chunk(1)).err == .limit);
    ic0.fake.stable_pages_most = 100;
    _ = upload.put(1, model.chunk(1)).ok;
}

test "manifests that break a rule are refused, and leave the upload under way alone" {
    try freshStore();
    const model = modelA();
    _ = try begin(model);
    const hash = [_]u8{1} ** 32;
    const program = file("program", 1);
    const many: [65]interface.File = @splat(program);
    const bad = [_]struct { []const u8, []const interface.File, []const u8 }{
        .{ "", &.{program}, &hash },
        .{ "n" ** 129, &.{program}, &hash },
        .{ "m", &.{}, &hash },
        .{ "m", &many, &hash },
        .{ "m", &.{file("tokenizer.json", 1)}, &hash },
        .{ "m", &.{ program, program }, &hash },
        .{ "m", &.{ program, file("", 1) }, &hash },
        .{ "m", &.{ program, file("../x", 1) }, &hash },
        .{ "m", &.{ program, file(".hidden", 1) }, &hash },
        .{ "m", &.{ program, file("n" ** 129, 1) }, &hash },
        .{ "m", &.{ program, file("huge", std.math.maxInt(u64)) }, &hash },
        .{ "m", &.{file("program", 0)}, "" },
        .{ "m", &.{program}, "" },
        .{ "m", &.{program}, hash[0..31] },
        .{ "m", &.{program}, &(hash ++ hash) },
        .{ "m", &.{program}, &(hash ** 4097) },
    };
    for (bad) |case| try testing.expect(beginWith(case[0], case[1], case[2]).err == .invalid);
    try testing.expectEqual(@as(u32, 3), upload.put(0, model.chunk(0)).ok.chunks_total);
}

test "changed canonical bytes are refused or describe what they say" {
    var buffer: [manifest.bytes_most]u8 = undefined;
    try freshStore();
    _ = try begin(modelA());
    const slot = &store.slots[store.staging.?];
    const seed = slot.manifest_buffer[0..slot.manifest_length];
    var prng = std.Random.DefaultPrng.init(3);
    const random = prng.random();
    var accepted: u32 = 0;
    for (0..100_000) |_| {
        @memcpy(buffer[0..seed.len], seed);
        for (0..random.uintLessThan(usize, 3)) |_| buffer[random.uintLessThan(usize, seed.len)] = random.int(u8);
        const length = if (random.boolean()) seed.len else random.uintAtMost(usize, seed.len);
        const parsed = manifest.parse(buffer[0..length]) catch continue;
        accepted += 1;
        var end: u64 = 0;
        for (parsed.files()) |part| end = part.offset + part.size_bytes;
        try testing.expectEqual(parsed.size_bytes, end);
        try testing.expect(parsed.chunkSizeBytes(parsed.chunk_count - 1) >= 1);
    }
    try testing.expect(accepted > 100);
}

test "stable memory of others is left alone" {
    ic0.fake.reset();
    try testing.expect(ic0.stable.grow(8));
    try testing.expectError(error.ForeignStableMemory, store.open());
    ic0.fake.reset();
    try store.open();
    ic0.stable.write(8, &.{2});
    try testing.expectError(error.UnknownVersion, store.open());
    ic0.stable.write(8, &.{ 1, 0, 0, 0, 7 });
    try testing.expectError(error.Damaged, store.open());
}
