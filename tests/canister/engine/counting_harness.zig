//! The harness around an engine that counts what saturates; it computes the same.

const engine = @import("engine");

comptime {
    _ = @import("harness.zig");
}

pub export var saturations: engine.Saturations = .{};
