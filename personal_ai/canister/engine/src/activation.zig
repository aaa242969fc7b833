//! Which model answers. A new one is loaded beside the old one, which answers until the switch; where both do not fit,
//! the caller asks to unload the old one first. Loading goes in slices: the first one in the call that asks for it, the
//! others by the timer, as all of them after an upgrade of the module. The call may be repeated, which does a slice too.

const std = @import("std");
const engine = @import("engine/engine.zig");
const ic0 = @import("ic0.zig");
const instances = @import("instance.zig");
const interface = @import("interface.zig");
const manifest = @import("manifest.zig");
const memory = @import("memory.zig");
const store = @import("store.zig");

const Instance = instances.Instance;
const ModelError = interface.ModelError;
const StateResult = interface.Result(interface.ActivationState, ModelError);

/// No further step of loading is begun in a message that has used so many instructions.
const message_instructions = 500_000_000;

/// The models in the heap, by the slot that their files lie in.
pub var loaded: [2]Instance = .{ .{}, .{} };

/// What the timer is to load.
var wanted: ?store.SlotIndex = null;
/// Why a model could not be loaded, until something new is tried with its slot.
var failures: [2]?ModelError = @splat(null);

/// The model that answers; null when none is active or it is not (yet) in the heap.
pub fn answering() ?*Instance {
    const instance = &loaded[store.active orelse return null];
    return if (instance.phase == .loaded) instance else null;
}

/// A model is on its way into the heap.
pub fn loading() bool {
    for (&loaded) |*instance| if (instance.phase != .unloaded and instance.phase != .loaded) return true;
    return false;
}

/// Does a bounded part of the work and leaves the rest to the timer.
pub fn activate(request: interface.Activation) StateResult {
    if (request.hash.bytes.len != 32) return .{ .err = .{ .invalid = .{ .bytes = "hash must be 32 bytes" } } };
    const slot = store.slotWithHash(request.hash.bytes) orelse return .{ .err = .unknown_hash };
    const upload = &store.slots[slot];
    if (!upload.complete()) {
        return .{ .err = .{ .missing_chunks = .{ .count = upload.manifest.chunk_count - upload.received } } };
    }
    const other = &loaded[slot ^ 1];
    if (request.unload_first or other.phase != .loaded) other.unload();
    wanted = slot;
    failures[slot] = null;
    if (advance(slot)) |err| return .{ .err = err };
    return .{ .ok = state(slot) };
}

/// The heap is lost in an upgrade, the files are not: the active model comes back by itself.
pub fn loadAfterUpgrade() void {
    wanted = store.active;
    if (wanted != null) ic0.callTimerSoon();
}

/// One more slice.
pub fn onTimer() callconv(.c) void {
    _ = advance(wanted orelse return);
}

/// Loads for as long as a message should take; the error, once there is no going on.
fn advance(slot: store.SlotIndex) ?ModelError {
    const instance = &loaded[slot];
    const other = &loaded[slot ^ 1];
    while (instance.phase != .loaded and ic0.instructionsUsed() < message_instructions) {
        instance.load(slot) catch |err| {
            if (err == error.NoRoom and other.keepLatestConversation()) continue;
            failures[slot] = explain(instance, err);
            wanted = null;
            return failures[slot];
        };
    }
    if (instance.phase == .loaded) switchTo(slot) else ic0.callTimerSoon();
    return null;
}

/// Frees the heap; the files stay. `activate` loads them again.
pub fn unload() interface.Result(void, ModelError) {
    if (store.active == null and !loading()) return .{ .err = .no_model };
    for ([_]store.SlotIndex{ 0, 1 }) |slot| forget(slot);
    return .{ .ok = {} };
}

/// Frees what has been loaded of the staged upload, which is about to change.
pub fn forgetStaged() void {
    if (store.staging) |slot| forget(slot);
}

/// Frees what a slot has in the heap, and tries no longer to load it.
pub fn forget(slot: store.SlotIndex) void {
    loaded[slot].unload();
    failures[slot] = null;
    if (wanted == slot) wanted = null;
}

/// Bytes of a file of the active model.
pub fn readFile(name: []const u8, offset: u64, buffer: []u8) interface.Result(@import("candid.zig").Blob, ModelError) {
    const slot = store.active orelse return .{ .err = .no_model };
    const file = store.slots[slot].manifest.file(name) orelse return .{ .err = .unknown_file };
    if (offset > file.size_bytes) return .{ .err = .{ .invalid = .{ .bytes = "offset is past the end of the file" } } };
    const count: usize = @intCast(@min(buffer.len, file.size_bytes - offset));
    store.read(slot, file.offset + offset, buffer[0..count]);
    return .{ .ok = .{ .bytes = buffer[0..count] } };
}

pub fn loadState(slot: store.SlotIndex) interface.LoadState {
    const instance = &loaded[slot];
    return switch (instance.phase) {
        .unloaded => if (failures[slot]) |failure|
            .{ .failed = failure }
        else if (wanted == slot) .{ .loading = state(slot) } else .unloaded,
        .loaded => .{ .loaded = .{
            .vocabulary_size = instance.model.vocabulary_size,
            .context_length = instance.model.context_length_max,
            .sequence_length = instance.cost.many,
            .program_bytes = instance.program.sizeBytes(),
            .working_bytes = instance.workingBytes(),
            .conversations_most = instance.conversationsMost(),
            .conversation_bytes = instance.layout.sizeBytes(),
            .kept_bits = instance.model.keptBits(),
        } },
        else => .{ .loading = state(slot) },
    };
}

fn state(slot: store.SlotIndex) interface.ActivationState {
    const instance = &loaded[slot];
    return .{
        .done = instance.phase == .loaded,
        .bytes_loaded = instance.bytesLoaded(),
        .bytes_total = store.slots[slot].manifest.file(manifest.program_name).?.size_bytes, // a manifest has one
    };
}

fn switchTo(slot: store.SlotIndex) void {
    wanted = null;
    forget(slot ^ 1);
    if (store.active == slot) {
        // An upload of the very model that is active has nothing left to do.
        if (store.staging) |staged| if (std.mem.eql(u8, &store.slots[staged].hash, &store.slots[slot].hash)) store.unstage();
    } else store.activateStaged();
}

fn explain(instance: *Instance, err: instances.LoadError) ModelError {
    const reason = switch (err) {
        error.NoRoom => return .{ .no_room = .{
            .needed_bytes = instance.needed_bytes,
            .free_bytes = memory.largestFreeBytes(),
        } },
        error.BadHeader => "the file named program is no program, or was cut short",
        error.UnknownVersion => "the program was written by a compiler that this engine does not know",
        error.BadProgram => "the program does not hold together",
        error.Unsupported => "the program needs an operator or a data type that this engine does not have",
        error.BadTokenCount, error.BadToken, error.ContextFull, error.NotBound => "the program could not be run",
    };
    instance.unload();
    return .{ .invalid = .{ .bytes = reason } };
}
