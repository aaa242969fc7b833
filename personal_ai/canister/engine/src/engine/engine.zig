//! The engine: opens a program that the compiler wrote, and runs it. Knows nothing of canisters.
//! One caller, one thread; nothing here allocates, recurses or traps on hostile bytes.

pub const OpenError = error{
    /// Not a program, or one that was cut short.
    BadHeader,
    /// Written by a compiler that this engine does not know.
    UnknownVersion,
    /// A table, offset, shape or attribute that does not hold together.
    BadProgram,
    /// An operator or a data type that this engine does not have.
    Unsupported,
};

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

pub const Model = struct {
    program: []align(64) const u8,
    vocabulary_size: u32,
    context_length_max: u32,
    /// The most tokens that one `forward` takes.
    sequence_max: u32,

    /// Validates the program once and completely. `program` must stay where it is for as long as the model is used:
    /// weights are read in place.
    pub fn open(program: []align(64) const u8) OpenError!Model {
        if (program.len < 64) return error.BadHeader;
        return error.BadProgram;
    }

    /// Bytes of the memory for activations that `bind` wants.
    pub fn arenaSizeBytes(self: *const Model) usize {
        _ = self;
        return 0;
    }

    /// Bytes of the memory for keys and values (at `context_length_max`) that `bind` wants.
    pub fn stateSizeBytes(self: *const Model) usize {
        _ = self;
        return 0;
    }

    /// Gives the model its memory. Neither needs to be cleared.
    pub fn bind(self: *Model, arena: []align(64) u8, state: []align(64) u8) void {
        _ = self;
        _ = arena;
        _ = state;
    }

    /// Runs `tokens` at positions past..past + tokens.len, whose keys and values are written to the state, and gives
    /// the logits [vocabulary_size] after the last one; they hold until the next call. The caller has run positions
    /// 0..past before; to cut the context back, pass a smaller `past`.
    pub fn forward(self: *Model, tokens: []const u32, past: u32) ForwardError![]const f32 {
        _ = self;
        _ = tokens;
        _ = past;
        return error.NotBound;
    }

    /// Token ids that end a reply.
    pub fn endTokens(self: *const Model) []const u32 {
        _ = self;
        return &.{};
    }
};

test {
    @import("std").testing.refAllDecls(Model);
}
