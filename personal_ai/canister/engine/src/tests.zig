//! Everything that is tested natively: `zig test tests.zig`.

test {
    _ = @import("activation_test.zig");
    _ = @import("budget.zig");
    _ = @import("candid.zig");
    _ = @import("candid_test.zig");
    _ = @import("conversation.zig");
    _ = @import("cost.zig");
    _ = @import("engine/engine.zig");
    _ = @import("instance.zig");
    _ = @import("memory.zig");
    _ = @import("sampling.zig");
    _ = @import("sha256.zig");
    _ = @import("unpacking.zig");
    _ = @import("upload_test.zig");
}
