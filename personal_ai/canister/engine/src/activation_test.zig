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
    for ([_]store.SlotIndex{ 0, 1 }) |slot| activation.forget(slot);
    try uploads.freshStore();
    memory.reset();
}

/// So many bytes that are no program, as the staged upload.
fn uploadContent(comptime size_bytes: usize) !store.SlotIndex {
    const files = comptime [_]interface.File{uploads.file("program", size_bytes)};
    const model = uploads.Model{ .files = &files, .content = uploads.makeContent(content[0..size_bytes], 1) };
    const chunk_count = (try uploads.begin(model)).chunks_total;
    for (0..chunk_count) |i| _ = upload.put(@intCast(i), model.chunk(@intCast(i))).ok;
    return store.staging.?;
}

/// The timer, which must be on, fires with time for one step of loading.
fn fireTimer() !void {
    try testing.expect(ic0.fake.timer_ns != 0);
    ic0.fake.timer_ns = 0;
    ic0.fake.instructions = 0;
    activation.onTimer();
}

/// One call of `activate` that has time for one step of loading.
fn activateOneStep(unload_first: bool) @TypeOf(activation.activate(undefined)) {
    ic0.fake.instructions = 0;
    ic0.fake.instructions_per_look = 400_000_000;
    const hash = &store.slots[store.staging.?].hash;
    return activation.activate(.{ .hash = .{ .bytes = hash }, .unload_first = unload_first });
}

test "a program is copied in steps, busy is answered meanwhile, and one that is none leaves nothing behind" {
    try fresh();
    _ = try uploadContent(content.len);
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

test "the timer goes on with what activate began, tells why it ended, and leaves alone what is not wanted" {
    try fresh();
    const staged = try uploadContent(1000);
    try testing.expect(activation.loadState(staged) == .unloaded);
    _ = activateOneStep(false).ok;
    try fireTimer();
    try testing.expectEqual(@as(u64, 1000), activation.loadState(staged).loading.bytes_loaded);
    try fireTimer();
    try testing.expect(activation.loadState(staged).failed == .invalid);
    try testing.expectEqual(@as(u64, 0), ic0.fake.timer_ns);
    try testing.expect(!activation.loading());

    _ = activateOneStep(false).ok; // another try
    try testing.expect(activation.unload() == .ok);
    try fireTimer();
    try testing.expect(activation.loadState(staged) == .unloaded);
    try testing.expectEqual(@as(u64, 0), ic0.fake.timer_ns);
}

test "after an upgrade the active model is loaded without being asked for" {
    try fresh();
    activation.loadAfterUpgrade();
    try testing.expectEqual(@as(u64, 0), ic0.fake.timer_ns);
    const slot = try uploadContent(1000);
    store.activateStaged();
    activation.loadAfterUpgrade();
    ic0.fake.instructions_per_look = 400_000_000;
    try testing.expectEqual(@as(u64, 0), activation.loadState(slot).loading.bytes_loaded);
    const request: interface.GenerateRequest = undefined;
    try testing.expect(generate(&request, 1).err == .no_model);
    try fireTimer();
    try fireTimer();
    try testing.expectEqual(@as(u64, 1000), activation.loadState(slot).loading.bytes_loaded);
    try testing.expect(generate(&request, 1).err == .busy);
}

test "another upload takes the half loaded one out of the heap" {
    try fresh();
    _ = try uploadContent(1000);
    _ = activateOneStep(false).ok;
    try testing.expect(activation.loading());
    const renamed = uploads.Model{ .name = "renamed", .files = &.{uploads.file("program", 1000)}, .content = content[0..1000] };
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
    @memset(slot.blocks[0..slot.received], 1); // as if each chunk had come; only the file's beginning is read
    try testing.expect(ic0.stable.grow(32));
    const no_room = activateOneStep(false).err.no_room;
    try testing.expectEqual(@as(u64, size_bytes), no_room.needed_bytes);
    try testing.expect(!activation.loading());
}
