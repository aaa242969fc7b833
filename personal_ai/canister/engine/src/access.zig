//! Who may use the canister: its controllers, nobody else, and never the anonymous identity.

const ic0 = @import("ic0.zig");

const anonymous = "\x04";

pub fn callerIsOwner() bool {
    var buffer: [29]u8 = undefined;
    const caller = ic0.caller(&buffer);
    if (caller.len == 1 and caller[0] == anonymous[0]) return false;
    return ic0.isController(caller);
}
