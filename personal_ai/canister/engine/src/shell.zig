//! What main.zig puts together, for tests that are programs of their own and run on the computer's processor.

pub const activation = @import("activation.zig");
pub const candid = @import("candid.zig");
pub const decoding = @import("candid_decode.zig");
pub const engine = @import("engine/engine.zig");
pub const format = @import("engine/format.zig");
pub const generate = @import("generate.zig").generate;
pub const host = @import("host_fake.zig");
pub const interface = @import("interface.zig");
pub const manifest = @import("manifest.zig");
pub const run = @import("run.zig").run;
pub const sampling = @import("sampling.zig");
pub const store = @import("store.zig");
pub const upload = @import("upload.zig");
pub const unpacking = @import("unpacking.zig");
