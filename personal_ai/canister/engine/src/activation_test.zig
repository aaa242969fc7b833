//! Loading in steps, what is answered meanwhile, and what happens when a model does not fit or is none.

const std = @import("std");
const activation = @import("activation.zig");
const generate = @import("generate.zig").generate;
const ic0 = @import("ic0.zig");
const interface = @import("interface.zig");
const memory = @import("memory.zig");
const store = @import("store.zig");
const upload = @import("upload.zig");
const uploads = @import("upload_test.zig");

const testing = std.testing;

var content: [10_000_000]u8 = undefined;

fn fresh() !void {
    for (&activation.loaded) |*instance| instance.* = .{};
    try uploads.freshStore();
    memory.reset();
}

/// One call of `activate` that has time for one step of loading.
fn activateOneStep(unload_first: bool) @TypeOf(activation.activate(undefined)) {
    ic0.fake.instructions = 0;
    ic0.fake.instructions_per_look = 200_000_000;
    const hash = &store.slots[store.staging.?].hash;
    return activation.activate(.{ .hash = .{ .bytes = hash }, .unload_first = unload_first });
}

test "a program is copied in steps, busy is answered meanwhile, and one that is none leaves nothing behind" {
    try fresh();
    const files = comptime [_]interface.File{uploads.file("program", content.len)};
    const model = uploads.Model{ .files = &files, .content = uploads.makeContent(&content, 1) };
    const chunk_count = (try uploads.begin(model)).chunks_total;
    for (0..chunk_count) |i| _ = upload.put(@intCast(i), model.chunk(@intCast(i))).ok;
    const free_bytes = memory.largestFreeBytes();
    const request: interface.GenerateRequest = undefined; // not looked at while no model answers
    try testing.expect(generate(&request, 1).err == .no_model);

    try testing.expectEqual(@as(u64, 0), activateOneStep(false).ok.bytes_loaded);
    try testing.expectEqual(@as(u64, 8 << 20), activateOneStep(false).ok.bytes_loaded);
    try testing.expect(generate(&request, 1).err == .busy);
    try testing.expect(activation.loadState(store.staging.?) == .loading);
    try testing.expectEqual(@as(u64, content.len), activateOneStep(true).ok.bytes_loaded);
    const program = activation.loaded[store.staging.?].program;
    try testing.expectEqualSlices(u8, &content, program.bytes()[0..content.len]);

    try testing.expect(activateOneStep(false).err == .invalid);
    try testing.expect(generate(&request, 1).err == .no_model);
    try testing.expectEqual(null, store.active);
    try testing.expectEqual(free_bytes, memory.largestFreeBytes());
}

test "another upload takes the half loaded one out of the heap" {
    try fresh();
    const files = comptime [_]interface.File{uploads.file("program", content.len)};
    const model = uploads.Model{ .files = &files, .content = uploads.makeContent(&content, 1) };
    const chunk_count = (try uploads.begin(model)).chunks_total;
    for (0..chunk_count) |i| _ = upload.put(@intCast(i), model.chunk(@intCast(i))).ok;
    _ = activateOneStep(false).ok;
    try testing.expect(activation.loading());
    const renamed = uploads.Model{ .name = "renamed", .files = &files, .content = &content };
    _ = try uploads.begin(renamed);
    try testing.expect(!activation.loading());
    _ = activateOneStep(false).ok;
    try testing.expect(upload.drop() == .ok);
    try testing.expect(!activation.loading());
    try testing.expect(activation.unload().err == .no_model);
}

test "what the heap cannot take is told in bytes" {
    try fresh();
    const size_bytes = 300 << 20; // the fake heap has 256 MiB
    const hashes = [_]u8{7} ** (32 * 166);
    try testing.expect(uploads.beginWith("large", &.{uploads.file("program", size_bytes)}, &hashes) == .ok);
    const slot = &store.slots[store.staging.?];
    slot.received = slot.manifest.chunk_count;
    const no_room = activateOneStep(false).err.no_room;
    try testing.expectEqual(@as(u64, size_bytes), no_room.needed_bytes);
    try testing.expect(!activation.loading());
}
