//! Everything the owner may want to know, in one query.

const activation = @import("activation.zig");
const ic0 = @import("ic0.zig");
const instances = @import("instance.zig");
const interface = @import("interface.zig");
const manifest = @import("manifest.zig");
const store = @import("store.zig");
const upload = @import("upload.zig");

const engine_version = @embedFile("version.txt");

var files: [manifest.files_most]interface.File = undefined;
var conversations: [instances.conversations_most]interface.Conversation = undefined;

pub fn status() interface.Status {
    return .{
        .interface_version = interface.version,
        .engine_version = .{ .bytes = engine_version },
        .model = if (store.active) |slot| .{
            .hash = .{ .bytes = &store.slots[slot].hash },
            .name = .{ .bytes = store.slots[slot].manifest.name },
            .files = filesOf(slot),
            .state = activation.loadState(slot),
        } else null,
        .staging = if (store.staging) |slot| .{
            .upload = upload.state(slot),
            .name = .{ .bytes = store.slots[slot].manifest.name },
            .state = activation.loadState(slot),
        } else null,
        .heap_bytes = @as(u64, ic0.heap.sizePages()) * ic0.page_size_bytes,
        .stable_bytes = ic0.stable.sizePages() * ic0.page_size_bytes,
        .cycles = .{ .value = ic0.cycleBalance() },
        .counters = store.counters,
        .conversations = held(),
    };
}

fn filesOf(slot: store.SlotIndex) []const interface.File {
    const known = store.slots[slot].manifest.files();
    for (known, files[0..known.len]) |file, *target| {
        target.* = .{ .name = .{ .bytes = file.name }, .size_bytes = file.size_bytes };
    }
    return files[0..known.len];
}

fn held() []const interface.Conversation {
    const instance = activation.answering() orelse return &.{};
    var count: usize = 0;
    for (instance.held()) |*conversation| {
        const id = conversation.id() orelse continue;
        conversations[count] = .{
            .id = .{ .bytes = id },
            .length = conversation.length,
            .computed = conversation.computed,
        };
        count += 1;
    }
    return conversations[0..count];
}
