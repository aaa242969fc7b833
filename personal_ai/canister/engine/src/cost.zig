//! What one step of the model (a `forward` over `count` tokens after `past` others) costs in instructions.
//! Measured when a model is loaded, at the four corners of (count, past); in between the cost is close to bilinear,
//! since attention grows with both and all else with `count`. What steps really used corrects it upwards.

const std = @import("std");

pub const Cost = struct {
    context: u32 = 1,
    /// The longest piece that was measured, and so the longest that is run.
    many: u32 = 1,
    one_near: f64 = 0,
    one_far: f64 = 0,
    many_near: f64 = 0,
    many_far: f64 = 0,
    /// The greatest ratio of what a step used to what had been foretold.
    excess: f64 = 1,

    pub fn predict(self: *const Cost, count: u32, past: u32) u64 {
        const one = between(self.one_near, self.one_far, past, self.context - 1);
        const many = between(self.many_near, self.many_far, past, self.context - self.many);
        const cost = @max(0, between(one, many, count - 1, self.many - 1)) * self.excess;
        return @intFromFloat(@min(cost, 1e18));
    }

    /// Learns from a step that did not have to touch memory for the first time.
    pub fn observe(self: *Cost, count: u32, past: u32, used: u64) void {
        const foretold = self.predict(count, past);
        if (used <= foretold or foretold == 0) return;
        self.excess *= @as(f64, @floatFromInt(used)) / @as(f64, @floatFromInt(foretold));
    }
};

/// From `start` (at 0) to `end` (at `last`) in a straight line.
fn between(start: f64, end: f64, at: u32, last: u32) f64 {
    if (last == 0) return @max(start, end);
    return start + (end - start) * @as(f64, @floatFromInt(at)) / @as(f64, @floatFromInt(last));
}

test "corners are met, the middle lies between, and what was seen raises it" {
    var cost = Cost{ .context = 101, .many = 11, .one_near = 100, .one_far = 200, .many_near = 500, .many_far = 900 };
    try std.testing.expectEqual(@as(u64, 100), cost.predict(1, 0));
    try std.testing.expectEqual(@as(u64, 200), cost.predict(1, 100));
    try std.testing.expectEqual(@as(u64, 500), cost.predict(11, 0));
    try std.testing.expectEqual(@as(u64, 900), cost.predict(11, 90));
    try std.testing.expectEqual(@as(u64, 150), cost.predict(1, 50));
    cost.observe(1, 50, 140);
    try std.testing.expectEqual(@as(u64, 150), cost.predict(1, 50));
    cost.observe(1, 50, 300);
    try std.testing.expectEqual(@as(u64, 300), cost.predict(1, 50));
    const single = Cost{ .one_near = 7 };
    try std.testing.expectEqual(@as(u64, 7), single.predict(1, 0));
}
