//! The engine: opens a program that the compiler wrote, and runs it. Knows nothing of canisters.
//! One caller, one thread; nothing here allocates, recurses or traps on hostile bytes.

const std = @import("std");
const format = @import("format.zig");
const programs = @import("program.zig");
const operators = @import("operators.zig");
const executor = @import("executor.zig");
pub const graph = @import("graph.zig");
pub const Saturations = @import("simd.zig").Saturations;

pub const OpenError = programs.Error;

pub const ForwardError = error{
    /// No tokens, or more than `sequence_max`.
    BadTokenCount,
    /// A token id that is not in the vocabulary.
    BadToken,
    /// `past` + tokens reaches over `context_length_max`.
    ContextFull,
    /// `bind` was not called.
    NotBound,
};

const Memory = struct {
    scratch: []align(format.alignment_bytes) u8,
    arena: []align(format.alignment_bytes) u8,
    state: []align(format.alignment_bytes) u8,
};

pub const portName = programs.portName;

/// What a graph's symbols stand for.
pub const Symbols = [format.symbol_count]u32;

pub const Model = struct {
    vocabulary_size: u32,
    context_length_max: u32,
    /// The most tokens that one `forward` takes.
    sequence_max: u32,
    program: programs.Program,
    memory: ?Memory,

    /// Validates the program once and completely. `bytes` must stay as and where they are while the model is used:
    /// weights are read in place.
    pub fn open(bytes: []align(format.alignment_bytes) const u8) OpenError!Model {
        const program = try programs.Program.open(bytes);
        try operators.check(program);
        return .{
            .vocabulary_size = program.header.vocabulary_size,
            .context_length_max = program.header.context_length_max,
            .sequence_max = program.header.sequence_max,
            .program = program,
            .memory = null,
        };
    }

    /// Bytes of the memory for activations that `bind` wants.
    pub fn arenaSizeBytes(self: *const Model) usize {
        return scratchSizeBytes(self.program) + self.program.header.arena_size_bytes;
    }

    /// Bytes of the memory for keys and values (at `context_length_max`) that `bind` wants. Positions lie one after
    /// the other, so a short conversation touches the beginning only.
    pub fn stateSizeBytes(self: *const Model) usize {
        return @intCast(self.program.stateSizeBytes()); // checked: fits 32 bits
    }

    /// Bytes of `format.state_chunk` positions in that memory.
    pub fn stateChunkBytes(self: *const Model) usize {
        return format.state_chunk * @as(usize, self.program.header.state_row_size_bytes);
    }

    /// Bits of each number of keys and values in that memory; 0 where the program keeps none.
    pub fn keptBits(self: *const Model) u32 {
        for (self.program.tensors) |tensor| {
            if (tensor.storage != @intFromEnum(format.Storage.state)) continue;
            return if (tensor.element == @intFromEnum(format.Element.f32)) 32 else 8;
        }
        return 0;
    }

    /// Gives the model its memory. Neither needs to be cleared.
    pub fn bind(
        self: *Model,
        arena: []align(format.alignment_bytes) u8,
        state: []align(format.alignment_bytes) u8,
    ) void {
        std.debug.assert(arena.len >= self.arenaSizeBytes());
        std.debug.assert(state.len >= self.stateSizeBytes());
        const scratch_size = scratchSizeBytes(self.program);
        self.memory = .{ .scratch = arena[0..scratch_size], .arena = @alignCast(arena[scratch_size..]), .state = state };
    }

    /// Runs `tokens` at positions past..past + tokens.len, whose keys and values are written to the state, and gives
    /// the logits [vocabulary_size] after the last one; they hold until the next call. The caller has run positions
    /// 0..past before; to cut the context back, pass a smaller `past`.
    pub fn forward(self: *Model, tokens: []const u32, past: u32) ForwardError![]const f32 {
        const call = try self.begin(tokens, past);
        call.run(self.program.operators);
        const logits: [*]const f32 = @ptrCast(call.matrix(self.program.header.logits).row(0));
        return logits[0..self.vocabulary_size];
    }

    /// As `forward`, without computing the logits: for all of a prompt but its end.
    pub fn absorb(self: *Model, tokens: []const u32, past: u32) ForwardError!void {
        const call = try self.begin(tokens, past);
        call.run(self.program.operators[0..self.program.header.body_operator_count]);
    }

    /// A graph takes and gives named tensors; it has no tokens, and `forward` is not for it.
    pub fn isGraph(self: *const Model) bool {
        return self.program.isGraph();
    }

    /// A run of a graph with these values of its symbols, each from 1 to its maximum (0 where it has none). Memory must
    /// be bound.
    pub fn graphCall(self: *const Model, symbols: Symbols) executor.Call {
        const memory = self.memory.?;
        var values: [format.symbol_count]usize = undefined;
        for (symbols, &values) |symbol, *value| value.* = symbol;
        return .{
            .program = self.program,
            .arena = memory.arena.ptr,
            .state = memory.state.ptr,
            .scratch = memory.scratch.ptr,
            .tokens = &.{},
            .past = 0,
            .symbols = values,
        };
    }

    /// Token ids that end a reply.
    pub fn endTokens(self: *const Model) []const u32 {
        return self.program.end_tokens;
    }

    fn begin(self: *Model, tokens: []const u32, past: u32) ForwardError!executor.Call {
        const memory = self.memory orelse return error.NotBound;
        if (tokens.len == 0 or tokens.len > self.sequence_max) return error.BadTokenCount;
        if (@as(u64, past) + tokens.len > self.context_length_max) return error.ContextFull;
        for (tokens) |token| if (token >= self.vocabulary_size) return error.BadToken;
        return .{
            .program = self.program,
            .arena = memory.arena.ptr,
            .state = memory.state.ptr,
            .scratch = memory.scratch.ptr,
            .tokens = tokens,
            .past = past,
            .symbols = .{ tokens.len, past, 0 },
        };
    }
};

fn scratchSizeBytes(program: programs.Program) usize {
    const size = @max(executor.scratchSizeBytes(program), graph.scratchSizeBytes(program));
    return std.mem.alignForward(usize, size, format.alignment_bytes);
}

test {
    std.testing.refAllDecls(@This());
    std.testing.refAllDecls(Model);
    _ = executor;
    _ = operators;
}
