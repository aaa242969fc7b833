//! Receiving a model: a manifest, then its chunks in any order, each verified before it is kept.

const std = @import("std");
const activation = @import("activation.zig");
const interface = @import("interface.zig");
const manifest = @import("manifest.zig");
const sha256 = @import("sha256.zig");
const store = @import("store.zig");

const UploadError = interface.UploadError;
const StateResult = interface.Result(interface.UploadState, UploadError);

/// The manifest being examined, before it replaces anything.
var incoming: store.Slot = undefined;
var missing_buffer: [manifest.chunks_most]u32 = undefined;

/// The same manifest again continues its upload, another one takes its place.
pub fn begin(request: *const interface.UploadManifest) StateResult {
    describe(request) catch |err| return .{ .err = .{ .invalid = .{ .bytes = manifest.explain(err) } } };
    if (store.staging) |index| {
        if (std.mem.eql(u8, &store.slots[index].hash, &incoming.hash)) return .{ .ok = state(index) };
    }
    activation.forgetStaged();
    store.stage(&incoming);
    return .{ .ok = state(store.staging.?) };
}

fn describe(request: *const interface.UploadManifest) manifest.Error!void {
    const length = (try manifest.canonical(request, &incoming.manifest_buffer)).len;
    const hashes = request.chunk_hashes.bytes;
    if (hashes.len > 32 * manifest.chunks_most) return error.TooManyChunks;
    @memcpy(std.mem.sliceAsBytes(incoming.chunk_hashes[0 .. hashes.len / 32]), hashes);
    try incoming.describe(@intCast(length));
}

/// Forgets the upload under way; what it had received makes room for another.
pub fn drop() interface.Result(void, UploadError) {
    if (store.staging == null) return .{ .err = .no_upload };
    activation.forgetStaged();
    store.unstage();
    return .{ .ok = {} };
}

/// A chunk that has been received is not looked at again.
pub fn put(chunk: u32, bytes: []const u8) StateResult {
    const index = store.staging orelse return .{ .err = .no_upload };
    const slot = &store.slots[index];
    const total = slot.manifest.chunk_count;
    if (chunk >= total) return .{ .err = .{ .wrong_index = .{ .index = chunk, .chunks_total = total } } };
    const expected_bytes = slot.manifest.chunkSizeBytes(chunk);
    if (bytes.len != expected_bytes) return .{ .err = .{ .wrong_size = .{
        .index = chunk,
        .expected_bytes = expected_bytes,
        .received_bytes = @intCast(bytes.len),
    } } };
    if (slot.blocks[chunk] != 0) return .{ .ok = state(index) };
    if (!std.mem.eql(u8, &sha256.hash(bytes), &slot.chunk_hashes[chunk])) {
        return .{ .err = .{ .wrong_hash = .{ .index = chunk } } };
    }
    if (!store.writeChunk(index, chunk, bytes)) {
        return .{ .err = .{ .limit = .{ .bytes = "stable memory cannot grow: add cycles or raise the memory limits" } } };
    }
    return .{ .ok = state(index) };
}

/// Chunks that have not been received, ascending.
pub fn missing() interface.Result([]const u32, UploadError) {
    const slot = &store.slots[store.staging orelse return .{ .err = .no_upload }];
    var count: usize = 0;
    for (slot.blocks[0..slot.manifest.chunk_count], 0..) |block, chunk| {
        if (block != 0) continue;
        missing_buffer[count] = @intCast(chunk);
        count += 1;
    }
    return .{ .ok = missing_buffer[0..count] };
}

/// How far the upload in a slot is.
pub fn state(index: store.SlotIndex) interface.UploadState {
    const slot = &store.slots[index];
    return .{
        .hash = .{ .bytes = &slot.hash },
        .chunks_total = slot.manifest.chunk_count,
        .chunks_received = slot.received,
    };
}
