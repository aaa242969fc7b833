//! What the canister holds of a conversation: its tokens, for the first `computed` of them keys and values in the
//! model's state, and the logits that the last reply began with. The client's store is the truth; this is only what need
//! not be computed again.

const std = @import("std");
const interface = @import("interface.zig");
const memory = @import("memory.zig");
const sha256 = @import("sha256.zig");
const Nat32s = @import("candid.zig").Nat32s;
const state_chunk = @import("engine/format.zig").state_chunk;

pub const id_bytes_most = 32;

/// The answer to the last request, given again when the same request comes again.
pub const Answer = struct {
    request_hash: sha256.Digest,
    /// Its tokens are those from here to the end of the conversation.
    start: u32,
    finish: interface.Finish,
    instructions: u64,
};

/// Where things lie in a conversation's memory: keys and values, tokens, logits.
pub const Layout = struct {
    state_bytes: u64 = 0,
    /// Bytes of `state_chunk` positions, which lie one after the other.
    chunk_bytes: u64 = 0,
    /// Tokens that the model's context holds.
    capacity: u32 = 0,
    vocabulary_size: u32 = 0,

    pub fn sizeBytes(self: Layout) u64 {
        return self.logitsOffset() + self.logitsBytes();
    }

    pub fn logitsBytes(self: Layout) u64 {
        return @sizeOf(f32) * @as(u64, self.vocabulary_size);
    }

    /// Where the state of the first `count` positions ends.
    pub fn bytesOfFirst(self: Layout, count: u32) u64 {
        return @min(self.state_bytes, self.chunk_bytes * (std.math.divCeil(u32, count, state_chunk) catch unreachable));
    }

    fn tokensOffset(self: Layout) u64 {
        return std.mem.alignForward(u64, self.state_bytes, @sizeOf(u32));
    }

    fn logitsOffset(self: Layout) u64 {
        return self.tokensOffset() + @sizeOf(u32) * @as(u64, self.capacity);
    }
};

pub const Conversation = struct {
    id_buffer: [id_bytes_most]u8 = undefined,
    id_length: ?u8 = null,
    region: memory.Region = .none,
    layout: Layout = .{},
    length: u32 = 0,
    computed: u32 = 0,
    /// The logits kept are those after so many tokens; 0: none are kept.
    logits_after: u32 = 0,
    /// Where the reply under way began: stop sequences are looked for from here on.
    reply_start: u32 = 0,
    answer: ?Answer = null,
    last_used: u64 = 0,

    pub fn id(self: *const Conversation) ?[]const u8 {
        return self.id_buffer[0 .. self.id_length orelse return null];
    }

    /// Memory for keys and values.
    pub fn state(self: *const Conversation) []align(memory.page_size_bytes) u8 {
        return self.region.bytes()[0..@intCast(self.layout.state_bytes)];
    }

    pub fn tokens(self: *const Conversation) []u32 {
        return self.all()[0..self.length];
    }

    /// Takes a new name of at most 32 bytes and forgets everything but its first `keep` tokens, which are computed.
    pub fn start(self: *Conversation, name: []const u8, keep: u32) void {
        @memcpy(self.id_buffer[0..name.len], name);
        self.id_length = @intCast(name.len);
        self.length = keep;
        self.computed = keep;
        self.logits_after = 0;
        self.reply_start = 0;
        self.answer = null;
    }

    /// How many tokens `given` and what is computed here have in common at their beginnings.
    pub fn commonLength(self: *const Conversation, given: Nat32s) u32 {
        const most = @min(self.computed, given.count());
        var count: u32 = 0;
        while (count < most and self.all()[count] == given.at(count)) count += 1;
        return count;
    }

    /// Copies the first `count` tokens of another conversation of the same layout, with their keys and values, which
    /// depend on nothing else.
    pub fn copyFirst(self: *Conversation, other: *const Conversation, count: u32) void {
        @memcpy(self.all()[0..count], other.all()[0..count]);
        const size_bytes: usize = @intCast(self.layout.bytesOfFirst(count));
        @memcpy(self.state()[0..size_bytes], other.state()[0..size_bytes]);
    }

    /// Cuts the conversation back to `keep` tokens and adds `append`. Keys and values stay for as long as the tokens
    /// are those that were there already. There must be room.
    pub fn revise(self: *Conversation, keep: u32, append: Nat32s) void {
        const before = self.length;
        var same = true;
        for (0..append.count()) |i| {
            const at: u32 = keep + @as(u32, @intCast(i));
            same = same and at < before and self.all()[at] == append.at(i);
            if (!same) self.computed = @min(self.computed, at);
            self.all()[at] = append.at(i);
        }
        self.length = keep + @as(u32, @intCast(append.count()));
        self.computed = @min(self.computed, self.length);
        if (self.logits_after > self.computed) self.logits_after = 0;
        if (keep != before or append.count() > 0) self.reply_start = self.length;
        self.answer = null;
    }

    pub fn push(self: *Conversation, token: u32) void {
        self.all()[self.length] = token;
        self.length += 1;
    }

    /// The logits after the last token, if they are kept.
    pub fn keptLogits(self: *const Conversation) ?[]const f32 {
        return if (self.length > 0 and self.logits_after == self.length) self.logitsMemory() else null;
    }

    /// Keeps the logits after the last token, all of which are computed: another reply may begin here.
    pub fn keepLogits(self: *Conversation, logits: []const f32) void {
        @memcpy(self.logitsMemory(), logits);
        self.logits_after = self.length;
    }

    /// SHA-256 of the first `count` tokens as little-endian 32-bit numbers.
    pub fn hashOfFirst(self: *const Conversation, count: u32) sha256.Digest {
        return sha256.hash(std.mem.sliceAsBytes(self.all()[0..count]));
    }

    /// Whether the reply so far ends with `sequence`.
    pub fn replyEndsWith(self: *const Conversation, sequence: Nat32s) bool {
        const reply = self.all()[self.reply_start..self.length];
        if (reply.len < sequence.count()) return false;
        const tail = reply[reply.len - sequence.count() ..];
        for (tail, 0..) |token, i| if (token != sequence.at(i)) return false;
        return true;
    }

    /// Room for as many tokens as the model's context holds.
    pub fn all(self: *const Conversation) []u32 {
        const bytes = self.region.bytes()[@intCast(self.layout.tokensOffset())..];
        return @alignCast(std.mem.bytesAsSlice(u32, bytes[0 .. @sizeOf(u32) * self.layout.capacity]));
    }

    fn logitsMemory(self: *const Conversation) []f32 {
        const bytes = self.region.bytes()[@intCast(self.layout.logitsOffset())..];
        return @alignCast(std.mem.bytesAsSlice(f32, bytes[0..@intCast(self.layout.logitsBytes())]));
    }
};

/// The conversation of that name, if it is still held.
pub fn find(conversations: []Conversation, name: []const u8) ?*Conversation {
    for (conversations) |*conversation| {
        if (conversation.id()) |id| if (std.mem.eql(u8, id, name)) return conversation;
    }
    return null;
}

/// The one that has the longest computed beginning in common with `tokens`.
pub fn closest(conversations: []Conversation, tokens: Nat32s) *Conversation {
    var best = &conversations[0];
    for (conversations[1..]) |*conversation| {
        if (conversation.commonLength(tokens) > best.commonLength(tokens)) best = conversation;
    }
    return best;
}

/// The conversation not used for longest; one never used comes first.
pub fn leastRecentlyUsed(conversations: []Conversation) *Conversation {
    var oldest = &conversations[0];
    for (conversations[1..]) |*conversation| {
        if (conversation.last_used < oldest.last_used) oldest = conversation;
    }
    return oldest;
}

test "a conversation begins with what another one has computed" {
    const ic0 = @import("ic0.zig");
    ic0.fake.reset();
    memory.reset();
    const layout = Layout{ .state_bytes = 3 * 160, .chunk_bytes = 160, .capacity = 40, .vocabulary_size = 1 };
    var held: [2]Conversation = undefined;
    for (&held) |*one| one.* = .{ .layout = layout, .region = try memory.allocate(layout.sizeBytes()) };
    const tokens = Nat32s{ .bytes = std.mem.sliceAsBytes(&[_]u32{ 4, 5, 6, 7 }) };
    held[1].start("a", 0);
    held[1].revise(0, tokens);
    held[1].computed = 3;
    for (held[1].state(), 0..) |*byte, i| byte.* = @truncate(i + 1);
    try std.testing.expectEqual(&held[1], closest(&held, tokens));
    try std.testing.expectEqual(@as(u32, 3), held[1].commonLength(tokens));
    try std.testing.expectEqual(@as(u32, 1), held[1].commonLength(.{ .bytes = std.mem.sliceAsBytes(&[_]u32{ 4, 6 }) }));
    held[0].copyFirst(&held[1], 3);
    held[0].start("b", 3);
    try std.testing.expectEqualSlices(u32, &.{ 4, 5, 6 }, held[0].tokens());
    try std.testing.expectEqualSlices(u8, held[1].state()[0..160], held[0].state()[0..160]);
    try std.testing.expectEqual(@as(u8, 0), held[0].state()[160]);
    try std.testing.expectEqual(@as(u64, 2 * 160), layout.bytesOfFirst(17));
}

test "revising keeps what was computed of equal tokens, and says where a reply began" {
    const ic0 = @import("ic0.zig");
    ic0.fake.reset();
    memory.reset();
    const layout = Layout{ .state_bytes = 101, .capacity = 16, .vocabulary_size = 2 };
    try std.testing.expectEqual(@as(u64, 104 + 64 + 8), layout.sizeBytes());
    const region = try memory.allocate(layout.sizeBytes());
    var held = [_]Conversation{ .{ .layout = layout, .region = region }, .{ .last_used = 3 } };
    const conversation = &held[0];
    const append = struct {
        fn of(comptime tokens: []const u32) Nat32s {
            return .{ .bytes = std.mem.sliceAsBytes(tokens) };
        }
    }.of;
    try std.testing.expectEqual(conversation, leastRecentlyUsed(&held));
    conversation.start("a", 0);
    conversation.revise(0, append(&.{ 1, 2, 3, 4 }));
    conversation.computed = 4;
    try std.testing.expectEqual(null, conversation.keptLogits());
    conversation.keepLogits(&.{ 0.5, -1 });
    try std.testing.expectEqualSlices(f32, &.{ 0.5, -1 }, conversation.keptLogits().?);
    conversation.push(5);
    try std.testing.expectEqual(null, conversation.keptLogits());
    try std.testing.expectEqual(@as(u32, 4), conversation.reply_start);
    conversation.revise(5, append(&.{}));
    try std.testing.expectEqual(@as(u32, 4), conversation.reply_start);
    try std.testing.expect(conversation.replyEndsWith(append(&.{5})));
    try std.testing.expect(!conversation.replyEndsWith(append(&.{ 4, 5 })));
    conversation.revise(2, append(&.{ 3, 4 }));
    try std.testing.expect(conversation.keptLogits() != null); // the reply may be made again
    conversation.revise(1, append(&.{ 2, 3, 9 }));
    try std.testing.expectEqual(null, conversation.keptLogits());
    try std.testing.expectEqual(@as(u32, 3), conversation.computed);
    try std.testing.expectEqualSlices(u32, &.{ 1, 2, 3, 9 }, conversation.tokens());
    conversation.revise(2, append(&.{}));
    try std.testing.expectEqual(@as(u32, 2), conversation.computed);
    try std.testing.expectEqual(sha256.hash(&.{ 1, 0, 0, 0, 2, 0, 0, 0 }), conversation.hashOfFirst(2));
    try std.testing.expectEqual(conversation, find(&held, "a").?);
    try std.testing.expectEqual(null, find(&held, "b"));
}
