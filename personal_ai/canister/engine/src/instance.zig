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
const program_name = @import("manifest.zig").program_name;

const Conversation = conversations.Conversation;

/// Conversations whose keys and values are held at once.
pub const conversations_most = 1;
const load_step_bytes = 8 << 20;
/// What measuring one long piece may take, so that the message ends well within its limit.
const measured_piece_most = 12_000_000_000;

pub const LoadError = memory.Error || engine.OpenError || engine.ForwardError;

pub const Phase = enum {
    unloaded,
    /// The program is being copied from stable memory.
    copying,
    /// All is copied; the program is to be opened and given its memory.
    copied,
    measuring_near,
    measuring_far,
    loaded,
};

pub const Instance = struct {
    phase: Phase = .unloaded,
    bytes_loaded: u64 = 0,
    bytes_total: u64 = 0,
    model: engine.Model = undefined,
    cost: Cost = .{},
    /// Bytes that a single-region request could not get; told to the caller.
    needed_bytes: u64 = 0,
    program: memory.Region = .none,
    arena: memory.Region = .none,
    scratch: memory.Region = .none,
    conversations: [conversations_most]Conversation = @splat(.{}),
    /// Whose keys and values the model is bound to.
    bound: ?*Conversation = null,

    /// Takes the next step of loading the program in `slot`. After an error the step may be tried again.
    pub fn load(self: *Instance, slot: store.SlotIndex) LoadError!void {
        switch (self.phase) {
            .unloaded => try self.begin(slot),
            .copying => self.copy(slot),
            .copied => try self.open(),
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

    pub fn workingBytes(self: *const Instance) u64 {
        return self.arena.sizeBytes() + self.scratch.sizeBytes();
    }

    /// Points the model at the conversation's keys and values.
    pub fn attach(self: *Instance, conversation: *Conversation) void {
        if (self.bound == conversation) return;
        self.model.bind(self.arena.bytes(), conversation.state_memory.bytes());
        self.bound = conversation;
    }

    pub fn samplingScratch(self: *const Instance) sampling.Scratch {
        return .in(self.scratch.bytes(), self.model.vocabulary_size);
    }

    fn begin(self: *Instance, slot: store.SlotIndex) LoadError!void {
        const file = store.slots[slot].manifest.file(program_name).?; // a manifest has one
        self.bytes_total = file.size_bytes;
        self.program = try self.allocate(file.size_bytes);
        self.phase = .copying;
    }

    fn copy(self: *Instance, slot: store.SlotIndex) void {
        const file = store.slots[slot].manifest.file(program_name).?;
        const count: usize = @intCast(@min(load_step_bytes, self.bytes_total - self.bytes_loaded));
        const start: usize = @intCast(self.bytes_loaded);
        store.read(slot, file.offset + self.bytes_loaded, self.program.bytes()[start..][0..count]);
        self.bytes_loaded += count;
        if (self.bytes_loaded == self.bytes_total) self.phase = .copied;
    }

    fn open(self: *Instance) LoadError!void {
        self.model = try engine.Model.open(self.program.bytes()[0..@intCast(self.bytes_total)]);
        errdefer self.freeWorkingMemory();
        self.arena = try self.allocate(self.model.arenaSizeBytes());
        self.scratch = try self.allocate(sampling.Scratch.sizeBytes(self.model.vocabulary_size));
        for (&self.conversations) |*conversation| {
            conversation.capacity = self.model.context_length_max;
            conversation.token_memory = try self.allocate(@as(u64, 4) * conversation.capacity);
            conversation.state_memory = try self.allocate(self.model.stateSizeBytes());
        }
        self.cost = .{ .context = self.model.context_length_max };
        self.phase = .measuring_near;
    }

    /// What one token and what a long piece cost at the beginning or, with `before` at the context's end, before it.
    /// Each is run once for nothing, so that touching the memory for the first time is not counted.
    fn measure(self: *Instance, before: u32, one: *f64, many: *f64) LoadError!void {
        const conversation = &self.conversations[0];
        self.attach(conversation);
        const tokens = std.mem.bytesAsSlice(u32, conversation.token_memory.bytes()); // all zero: no one has spoken yet
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
        for (&self.conversations) |*conversation| {
            memory.free(conversation.token_memory);
            memory.free(conversation.state_memory);
            conversation.* = .{};
        }
        self.arena = .none;
        self.scratch = .none;
        self.bound = null;
    }
};
