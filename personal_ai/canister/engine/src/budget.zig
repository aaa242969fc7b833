//! How many instructions a message may still use. A step is only begun when it is sure to end within the message's
//! limit: the network undoes a message that meets it, and all its work with it.

const std = @import("std");
const ic0 = @import("ic0.zig");
const Cost = @import("cost.zig").Cost;
const page_size_bytes = ic0.page_size_bytes;

pub const update_limit = 40_000_000_000;
pub const query_limit = 5_000_000_000;

/// For what comes after the last step: the reply and the message's end.
pub const closing_reserve = 50_000_000;
/// The network's charge for a page's first access in a message, and for its first write.
const page_access = 80_000;
const page_write = 160_000;
/// Pages that a step may touch although earlier steps of the message did not, beside new keys and values.
const stray_pages = 256;

/// What a message may touch.
pub const Footprint = struct { program_bytes: u64, working_bytes: u64, state_bytes: u64 };

pub const Budget = struct {
    cost: *Cost,
    footprint: Footprint,
    /// What choosing one token, and keeping the logits that it is chosen from, may cost at most.
    sampling_most: u64,
    /// What the last choice cost.
    sampling: u64 = 0,
    /// What the caller wants to spend at most on a reply.
    wanted: u64,
    /// What the network lets a message use.
    limit: u64,
    steps: u32 = 0,
    /// Something was computed or chosen: a message that ends now was not for nothing.
    progressed: bool = false,

    /// How many of the next `missing` tokens after `past` to compute in one step; 0 when the message should end.
    /// The caller's wish gives way where `opening` (the prompt and the first words of a reply) and to a first step of
    /// one token; the network's limit to nothing.
    pub fn pieceLength(self: *const Budget, missing: u32, past: u32, opening: bool) u32 {
        const used = ic0.instructionsUsed();
        var count = @min(missing, self.cost.many);
        while (count > 0) : (count /= 2) {
            const first = !self.progressed and count == 1;
            const wished = opening or first or used + self.stepLikely(count, past) <= self.wanted;
            if (wished and used + self.stepMost(count, past) <= self.limit) return count;
        }
        return 0;
    }

    /// To be told after each step what it used.
    pub fn observe(self: *Budget, count: u32, past: u32, used: u64) void {
        // The first step of a message touches memory for the first time, which says nothing about later ones.
        if (self.steps > 0) self.cost.observe(count, past, used -| self.newPages(count));
        self.steps += 1;
        self.progressed = true;
    }

    /// To be told after each choice what it used.
    pub fn chose(self: *Budget, used: u64) void {
        self.sampling = used;
        self.progressed = true;
    }

    /// What a step and the choice of a token after it will use, or a little less.
    fn stepLikely(self: *const Budget, count: u32, past: u32) u64 {
        const foretold = self.cost.predict(count, past);
        const pages = if (self.steps == 0) self.allPages(past + count) else 0;
        return foretold + foretold / 8 + pages + self.sampling;
    }

    /// More than a step, the choice of a token after it and the message's end can use.
    fn stepMost(self: *const Budget, count: u32, past: u32) u64 {
        const slack = if (count == 1) 0 else self.cost.predict(count, past) / 2;
        return self.stepLikely(count, past) + slack + self.sampling_most + self.newPages(count) + closing_reserve;
    }

    /// Everything that a first step may touch, with keys and values of so many positions.
    fn allPages(self: *const Budget, positions: u32) u64 {
        const written_bytes = self.footprint.working_bytes + self.stateBytes(positions);
        return touching(self.footprint.program_bytes, written_bytes);
    }

    fn newPages(self: *const Budget, count: u32) u64 {
        return (stray_pages + pagesOf(self.stateBytes(count))) * page_write;
    }

    /// Positions lie one after the other.
    fn stateBytes(self: *const Budget, positions: u32) u64 {
        return self.footprint.state_bytes * positions / self.cost.context;
    }
};

/// What it costs to touch so many bytes for the first time in a message.
pub fn touching(read_bytes: u64, written_bytes: u64) u64 {
    return pagesOf(read_bytes) * page_access + pagesOf(written_bytes) * page_write;
}

fn pagesOf(size_bytes: u64) u64 {
    return size_bytes / page_size_bytes + 1;
}

test "a message ends before its limit, and a first step is always tried" {
    ic0.fake.reset();
    const per_token = 1_000_000_000;
    var cost = Cost{
        .context = 1000,
        .many = 64,
        .one_near = per_token,
        .one_far = per_token,
        .many_near = 64 * per_token,
        .many_far = 64 * per_token,
    };
    var budget = Budget{
        .cost = &cost,
        .footprint = .{ .program_bytes = 1 << 30, .working_bytes = 1 << 24, .state_bytes = 1 << 26 },
        .sampling_most = 1_000_000,
        .wanted = 1,
        .limit = update_limit,
    };
    try std.testing.expectEqual(@as(u32, 1), budget.pieceLength(500, 0, false));
    try std.testing.expectEqual(@as(u32, 16), budget.pieceLength(500, 0, true));
    budget.wanted = update_limit;
    const count = budget.pieceLength(500, 0, false);
    try std.testing.expect(count == 16);
    ic0.fake.instructions = 24 * per_token;
    budget.observe(count, 0, 24 * per_token);
    try std.testing.expectEqual(@as(u32, 8), budget.pieceLength(484, 16, false));
    ic0.fake.instructions = 39 * per_token;
    try std.testing.expectEqual(@as(u32, 0), budget.pieceLength(1, 24, true));
    budget.limit = query_limit;
    budget.steps = 0;
    try std.testing.expectEqual(@as(u32, 0), budget.pieceLength(1, 24, true));
}
