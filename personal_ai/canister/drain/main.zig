//! Sends a canister's cycles to the cycles ledger. It takes the engine's place for the moment before the canister is
//! deleted: the engine itself has no way to send cycles anywhere, so that nobody who breaks into it can.

const std = @import("std");

extern "ic0" fn msg_arg_data_size() usize;
extern "ic0" fn msg_arg_data_copy(target: usize, offset: usize, size_bytes: usize) void;
extern "ic0" fn msg_caller_size() usize;
extern "ic0" fn msg_caller_copy(target: usize, offset: usize, size_bytes: usize) void;
extern "ic0" fn is_controller(source: usize, size_bytes: usize) u32;
extern "ic0" fn accept_message() void;
extern "ic0" fn msg_reply_data_append(source: usize, size_bytes: usize) void;
extern "ic0" fn msg_reply() void;
extern "ic0" fn trap(source: usize, size_bytes: usize) noreturn;
extern "ic0" fn canister_liquid_cycle_balance128(target: usize) void;
extern "ic0" fn call_new(
    callee: usize,
    callee_bytes: usize,
    name: usize,
    name_bytes: usize,
    reply_function: usize,
    reply_environment: usize,
    reject_function: usize,
    reject_environment: usize,
) void;
extern "ic0" fn call_data_append(source: usize, size_bytes: usize) void;
extern "ic0" fn call_cycles_add128(high: u64, low: u64) void;
extern "ic0" fn call_perform() u32;

const cycles_ledger = [_]u8{ 0x00, 0x00, 0x00, 0x00, 0x02, 0x10, 0x00, 0x02, 0x01, 0x01 }; // um5iw-rqaaa-aaaaq-qaaba-cai
const deposit = "deposit";
const no_callback = std.math.maxInt(usize);
const amount_bytes = 16;
const principal_bytes_most = 29;

var argument: [amount_bytes + 256]u8 = undefined;

export fn canister_inspect_message() void {
    if (callerControls()) accept_message();
}

/// For controllers. The argument: how many cycles are kept (16 bytes, little endian), then the argument of the ledger's
/// `deposit`. The answer: how many were sent off, in the same form. The call goes one way: were the ledger to refuse
/// it, the cycles would come back by themselves.
export fn @"canister_update drain"() void {
    if (!callerControls()) fail("only a controller may do this");
    const size = msg_arg_data_size();
    if (size < amount_bytes or size > argument.len) fail("the argument has another size");
    msg_arg_data_copy(@intFromPtr(&argument), 0, size);
    const kept = std.mem.readInt(u128, argument[0..amount_bytes], .little);
    var answer: [amount_bytes]u8 = undefined;
    canister_liquid_cycle_balance128(@intFromPtr(&answer));
    const sent = std.mem.readInt(u128, &answer, .little) -| kept;
    if (sent > 0) send(sent, argument[amount_bytes..size]);
    std.mem.writeInt(u128, &answer, sent, .little);
    msg_reply_data_append(@intFromPtr(&answer), answer.len);
    msg_reply();
}

fn send(cycles: u128, deposit_argument: []const u8) void {
    call_new(
        @intFromPtr(&cycles_ledger),
        cycles_ledger.len,
        @intFromPtr(deposit),
        deposit.len,
        no_callback,
        0,
        no_callback,
        0,
    );
    call_data_append(@intFromPtr(deposit_argument.ptr), deposit_argument.len);
    call_cycles_add128(@intCast(cycles >> 64), @truncate(cycles));
    if (call_perform() != 0) fail("too little is kept for the call itself");
}

fn callerControls() bool {
    var caller: [principal_bytes_most]u8 = undefined;
    const size = msg_caller_size();
    msg_caller_copy(@intFromPtr(&caller), 0, size);
    return is_controller(@intFromPtr(&caller), size) == 1;
}

fn fail(comptime why: []const u8) noreturn {
    trap(@intFromPtr(why.ptr), why.len);
}
