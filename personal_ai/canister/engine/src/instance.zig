//! One model in the heap: its program from stable memory, the memory it works in, what its steps cost. Loading goes in
//! steps, each small enough for a message of its own.

const std = @import("std");
const conversations = @import("conversation.zig");
const Cost = @import("cost.zig").Cost;
const engine = @import("engine/engine.zig");
const ic0 = @import("ic0.zig");
const memory = @import("memory.zig");
const sampling = @import("sampling.zig");
const store = @import("store.zig");
const unpacking = @import("unpacking.zig");
const format = @import("engine/format.zig");
const Nat32s = @import("candid.zig").Nat32s;
const program_name = @import("manifest.zig").program_name;

const Conversation = conversations.Conversation;
const Progress = @import("run.zig").Progress;

/// Conversations that are held at once, at most. `personal_ai.canister.heap` tells the deployment what that takes.
pub const conversations_most = 16;
/// What the conversations beside the first may take together.
const further_conversations_bytes = 512 << 20;
/// Copying costs about five instructions a byte, pages included: the message must have room for it.
const copied_bytes_most = 128 << 20;
/// What measuring one long piece may take, so that the message ends well within its limit.
const measured_piece_most = 12_000_000_000;

pub const LoadError = memory.Error || unpacking.Error || engine.OpenError || engine.ForwardError;

pub const Phase = enum {
    unloaded,
    /// The program is being taken from stable memory.
    unpacking,
    /// It is all there, to be opened and given its memory.
    unpacked,
    measuring_near,
    measuring_far,
    loaded,
};

/// The program's file in stable memory.
const Source = struct {
    slot: store.SlotIndex,
    offset: u64,
    size_bytes: u64,

    fn of(slot: store.SlotIndex) Source {
        const file = store.slots[slot].manifest.file(program_name).?; // a manifest has one
        return .{ .slot = slot, .offset = file.offset, .size_bytes = file.size_bytes };
    }

    pub fn read(source: Source, offset: u64, target: []u8) void {
        store.read(source.slot, source.offset + offset, target);
    }
};

pub const Instance = struct {
    phase: Phase = .unloaded,
    unpacker: unpacking.Unpacker = undefined,
    model: engine.Model = undefined,
    cost: Cost = .{},
    /// Bytes that a single-region request could not get; told to the caller.
    needed_bytes: u64 = 0,
    program: memory.Region = .none,
    arena: memory.Region = .none,
    scratch: memory.Region = .none,
    layout: conversations.Layout = .{},
    conversations: [conversations_most]Conversation = @splat(.{}),
    /// So many of them have memory.
    conversation_count: u32 = 0,
    /// Whose keys and values the model is bound to.
    bound: ?*Conversation = null,
    /// Of a graph: the run under way, or done last, whose numbers the arena holds.
    progress: ?Progress = null,
    /// Of a graph: the greatest ratio of what a tile used to what had been foretold.
    excess: f64 = 1,

    /// Takes the next step of loading the program in `slot`. After an error the step may be tried again.
    pub fn load(self: *Instance, slot: store.SlotIndex) LoadError!void {
        switch (self.phase) {
            .unloaded => try self.begin(slot),
            .unpacking => try self.unpack(slot),
            .unpacked => try self.open(),
            .measuring_near => {
                try self.measure(0, &self.cost.one_near, &self.cost.many_near);
                self.phase = .measuring_far;
            },
            .measuring_far => {
                try self.measure(self.cost.context, &self.cost.one_far, &self.cost.many_far);
                self.phase = .loaded;
            },
            .loaded => {},
        }
    }

    /// Gives all memory back.
    pub fn unload(self: *Instance) void {
        self.freeWorkingMemory();
        memory.free(self.program);
        self.* = .{};
    }

    /// Bytes of the program's file that have been read.
    pub fn bytesLoaded(self: *const Instance) u64 {
        return if (self.phase == .unloaded) 0 else self.unpacker.position;
    }

    pub fn workingBytes(self: *const Instance) u64 {
        return self.arena.sizeBytes() + self.scratch.sizeBytes();
    }

    pub fn held(self: *Instance) []Conversation {
        return self.conversations[0..self.conversation_count];
    }

    /// How many conversations may be held: as many as their memory allows.
    pub fn conversationsMost(self: *const Instance) u32 {
        const further = further_conversations_bytes / @max(1, pagesSizeBytes(self.layout.sizeBytes()));
        return @intCast(@min(conversations_most, 1 + further));
    }

    /// A new conversation that is to have `tokens`. What another one has computed of them is copied, or stays where the
    /// new one takes the other's place.
    pub fn beginConversation(self: *Instance, name: []const u8, tokens: Nat32s) *Conversation {
        const source = conversations.closest(self.held(), tokens);
        const place = self.placeForConversation();
        var shared = source.commonLength(tokens);
        if (place != source) {
            shared = @intCast(@min(shared, copied_bytes_most * format.state_chunk / @max(1, self.layout.chunk_bytes)));
            place.copyFirst(source, shared);
        }
        place.start(name, shared);
        return place;
    }

    /// The place for a new conversation: one never used, more memory, or that of the conversation not used for longest.
    fn placeForConversation(self: *Instance) *Conversation {
        const oldest = conversations.leastRecentlyUsed(self.held());
        if (oldest.id() == null or self.conversation_count == self.conversationsMost()) return oldest;
        return self.addConversation() catch oldest;
    }

    /// Frees all conversations but the one used last, for a model that is to be loaded beside. False when there is
    /// nothing to free.
    pub fn keepLatestConversation(self: *Instance) bool {
        if (self.conversation_count < 2) return false;
        var latest = &self.conversations[0];
        for (self.held()) |*conversation| {
            if (conversation.last_used > latest.last_used) latest = conversation;
        }
        std.mem.swap(Conversation, &self.conversations[0], latest);
        for (self.held()[1..]) |*conversation| {
            memory.free(conversation.region);
            conversation.* = .{};
        }
        self.conversation_count = 1;
        self.bound = null;
        return true;
    }

    /// Points the model at the conversation's keys and values.
    pub fn attach(self: *Instance, conversation: *Conversation) void {
        if (self.bound == conversation) return;
        self.model.bind(self.arena.bytes(), conversation.state());
        self.bound = conversation;
    }

    pub fn samplingScratch(self: *const Instance) sampling.Scratch {
        return .in(self.scratch.bytes(), self.model.vocabulary_size);
    }

    fn begin(self: *Instance, slot: store.SlotIndex) LoadError!void {
        const source = Source.of(slot);
        self.unpacker = try .begin(source, source.size_bytes);
        self.program = try self.allocate(self.unpacker.program_bytes);
        self.phase = .unpacking;
    }

    fn unpack(self: *Instance, slot: store.SlotIndex) LoadError!void {
        try self.unpacker.step(Source.of(slot), self.program.bytes());
        if (try self.unpacker.finished()) self.phase = .unpacked;
    }

    fn open(self: *Instance) LoadError!void {
        self.model = try engine.Model.open(self.program.bytes()[0..@intCast(self.unpacker.program_bytes)]);
        errdefer self.freeWorkingMemory();
        self.arena = try self.allocate(self.model.arenaSizeBytes());
        if (self.model.isGraph()) {
            self.model.bind(self.arena.bytes(), self.arena.bytes()[0..0]); // it keeps no state
            self.phase = .loaded;
            return;
        }
        self.scratch = try self.allocate(sampling.Scratch.sizeBytes(self.model.vocabulary_size));
        self.layout = .{
            .state_bytes = self.model.stateSizeBytes(),
            .chunk_bytes = self.model.stateChunkBytes(),
            .capacity = self.model.context_length_max,
            .vocabulary_size = self.model.vocabulary_size,
        };
        _ = try self.addConversation();
        self.cost = .{ .context = self.model.context_length_max };
        self.phase = .measuring_near;
    }

    fn addConversation(self: *Instance) LoadError!*Conversation {
        const conversation = &self.conversations[self.conversation_count];
        conversation.* = .{ .region = try self.allocate(self.layout.sizeBytes()), .layout = self.layout };
        self.conversation_count += 1;
        return conversation;
    }

    /// What one token and what a long piece cost at the beginning or, with `before` at the context's end, before it.
    /// Each is run once for nothing, so that touching the memory for the first time is not counted.
    fn measure(self: *Instance, before: u32, one: *f64, many: *f64) LoadError!void {
        const conversation = &self.conversations[0];
        self.attach(conversation);
        const tokens = conversation.all(); // all zero: no one has spoken yet
        _ = try self.timedForward(tokens[0..1], before -| 1);
        one.* = try self.timedForward(tokens[0..1], before -| 1);
        if (before == 0) self.cost.many = self.longestPiece(one.*);
        const count = self.cost.many;
        many.* = try self.timedForward(tokens[0..count], before -| count);
    }

    fn timedForward(self: *Instance, tokens: []const u32, past: u32) LoadError!f64 {
        const before = ic0.instructionsUsed();
        _ = try self.model.forward(tokens, past);
        return @floatFromInt(ic0.instructionsUsed() - before);
    }

    fn longestPiece(self: *const Instance, one_token: f64) u32 {
        const affordable = std.math.clamp(measured_piece_most / @max(one_token, 1), 1, 1 << 20);
        return @min(self.model.sequence_max, self.model.context_length_max, @as(u32, @intFromFloat(affordable)));
    }

    fn allocate(self: *Instance, size_bytes: u64) memory.Error!memory.Region {
        return memory.allocate(size_bytes) catch |err| {
            self.needed_bytes = size_bytes;
            return err;
        };
    }

    fn freeWorkingMemory(self: *Instance) void {
        memory.free(self.arena);
        memory.free(self.scratch);
        for (self.held()) |*conversation| {
            memory.free(conversation.region);
            conversation.* = .{};
        }
        self.conversation_count = 0;
        self.arena = .none;
        self.scratch = .none;
        self.bound = null;
    }
};

fn pagesSizeBytes(size_bytes: u64) u64 {
    return std.mem.alignForward(u64, size_bytes, memory.page_size_bytes);
}

test "as many conversations as their memory allows, then the one not used for longest leaves" {
    ic0.fake.reset();
    memory.reset();
    const quarter = further_conversations_bytes / 4;
    var instance = Instance{ .layout = .{ .state_bytes = quarter - 65536, .capacity = 16, .vocabulary_size = 8 } };
    try std.testing.expectEqual(@as(u32, 5), instance.conversationsMost());
    instance.layout.state_bytes = 1000;
    try std.testing.expectEqual(@as(u32, conversations_most), instance.conversationsMost());
    instance.layout.state_bytes = 2 * further_conversations_bytes;
    try std.testing.expectEqual(@as(u32, 1), instance.conversationsMost());

    instance.layout.state_bytes = 100 << 20; // the fake heap has 256 MiB
    const first = try instance.addConversation();
    try std.testing.expectEqual(first, instance.placeForConversation());
    first.start("first", 0);
    first.last_used = 1;
    const second = instance.placeForConversation();
    second.start("second", 0);
    second.last_used = 2;
    try std.testing.expect(second != first);
    try std.testing.expectEqual(first, instance.placeForConversation()); // no room for a third

    try std.testing.expect(instance.keepLatestConversation());
    try std.testing.expectEqualStrings("second", instance.held()[0].id().?);
    try std.testing.expect(!instance.keepLatestConversation());
    _ = try memory.allocate(100 << 20);
}
