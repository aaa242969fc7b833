//! A test canister: one method for each thing that the practice network has to do right.
//! Arguments and replies are plain bytes; numbers are little-endian.

const ic0 = struct {
    extern "ic0" fn msg_arg_data_size() usize;
    extern "ic0" fn msg_arg_data_copy(dst: [*]u8, offset: usize, size: usize) void;
    extern "ic0" fn msg_caller_size() usize;
    extern "ic0" fn msg_caller_copy(dst: [*]u8, offset: usize, size: usize) void;
    extern "ic0" fn msg_method_name_size() usize;
    extern "ic0" fn msg_method_name_copy(dst: [*]u8, offset: usize, size: usize) void;
    extern "ic0" fn accept_message() void;
    extern "ic0" fn msg_reply_data_append(src: [*]const u8, size: usize) void;
    extern "ic0" fn msg_reply() void;
    extern "ic0" fn msg_reject(src: [*]const u8, size: usize) void;
    extern "ic0" fn stable64_size() u64;
    extern "ic0" fn stable64_grow(pages: u64) u64;
    extern "ic0" fn stable64_write(offset: u64, src: u64, size: u64) void;
    extern "ic0" fn stable64_read(dst: u64, offset: u64, size: u64) void;
    extern "ic0" fn certified_data_set(src: [*]const u8, size: usize) void;
    extern "ic0" fn data_certificate_present() i32;
    extern "ic0" fn data_certificate_size() usize;
    extern "ic0" fn data_certificate_copy(dst: [*]u8, offset: usize, size: usize) void;
    extern "ic0" fn global_timer_set(time_ns: u64) u64;
    extern "ic0" fn performance_counter(kind: u32) u64;
    extern "ic0" fn canister_cycle_balance128(dst: *u128) void;
    extern "ic0" fn cycles_burn128(high: u64, low: u64, dst: *u128) void;
    extern "ic0" fn is_controller(src: [*]const u8, size: usize) i32;
    extern "ic0" fn in_replicated_execution() i32;
    extern "ic0" fn canister_version() u64;
    extern "ic0" fn time() u64;
    extern "ic0" fn debug_print(src: [*]const u8, size: usize) void;
    extern "ic0" fn trap(src: [*]const u8, size: usize) noreturn;
};

const argument_max = 3 << 20;
var argument_buffer: [argument_max]u8 = undefined;
var counter: u64 = 0;
var ticks: u64 = 0;
var started: u64 = 0;

/// The argument, or as much of it as fits.
fn argument() []u8 {
    const size = @min(ic0.msg_arg_data_size(), argument_max);
    ic0.msg_arg_data_copy(&argument_buffer, 0, size);
    return argument_buffer[0..size];
}

/// The `index`th number of the argument; 0 where there is none.
fn number(index: usize) u64 {
    const bytes = argument();
    if (bytes.len < 8 * (index + 1)) return 0;
    return std.mem.readInt(u64, bytes[8 * index ..][0..8], .little);
}

fn reply(bytes: []const u8) void {
    ic0.msg_reply_data_append(bytes.ptr, bytes.len);
    ic0.msg_reply();
}

fn replyNumber(value: u64) void {
    var bytes: [8]u8 = undefined;
    std.mem.writeInt(u64, &bytes, value, .little);
    reply(&bytes);
}

fn fail(text: []const u8) noreturn {
    ic0.trap(text.ptr, text.len);
}

fn echo() callconv(.c) void {
    reply(argument());
}

fn caller() callconv(.c) void {
    var bytes: [29]u8 = undefined;
    const size = ic0.msg_caller_size();
    ic0.msg_caller_copy(&bytes, 0, size);
    reply(bytes[0..size]);
}

fn increment() callconv(.c) void {
    counter += 1;
    replyNumber(counter);
}

/// Counts in the heap, in stable memory and in the certified data, on pages of their own.
fn countEverywhere() callconv(.c) void {
    counter += 1;
    if (ic0.stable64_size() < 4) _ = ic0.stable64_grow(4);
    ic0.stable64_write(200_000, @intFromPtr(&counter), 8);
    ic0.certified_data_set(@ptrCast(&counter), 8);
    replyNumber(counter);
}

fn get() callconv(.c) void {
    replyNumber(counter);
}

fn trapAfterWrite() callconv(.c) void {
    counter += 100;
    const text = "written";
    _ = ic0.stable64_grow(1);
    ic0.stable64_write(0, @intFromPtr(text), text.len);
    ic0.certified_data_set(text, text.len);
    _ = ic0.global_timer_set(1);
    fail("after writing");
}

fn refuse() callconv(.c) void {
    counter += 1;
    const text = "no";
    ic0.msg_reject(text, text.len);
}

fn silent() callconv(.c) void {
    counter += 1;
}

/// Number 0: offset; the rest of the argument is written there. Stable memory grows as needed.
fn stableWrite() callconv(.c) void {
    const offset = number(0);
    const bytes = argument()[8..];
    const pages = (offset + bytes.len + 65535) / 65536;
    const have = ic0.stable64_size();
    if (pages > have and ic0.stable64_grow(pages - have) == std.math.maxInt(u64)) fail("stable memory is full");
    ic0.stable64_write(offset, @intFromPtr(bytes.ptr), bytes.len);
    replyNumber(ic0.stable64_size());
}

/// Numbers: offset, size.
fn stableRead() callconv(.c) void {
    const offset = number(0);
    const size: usize = @intCast(number(1));
    ic0.stable64_read(@intFromPtr(&argument_buffer), offset, size);
    reply(argument_buffer[0..size]);
}

/// Number 0: how many rounds of a hash to spend instructions on. Replies with the performance counter.
fn spin() callconv(.c) void {
    const rounds = number(0);
    var hash: u64 = 14695981039346656037;
    var round: u64 = 0;
    while (round < rounds) : (round += 1) hash = (hash ^ round) *% 1099511628211;
    std.mem.doNotOptimizeAway(hash);
    replyNumber(ic0.performance_counter(0));
}

/// Numbers: address, size, step. Reads (or writes) one byte every `step` bytes of the heap, which grows as needed.
fn touchRead() callconv(.c) void {
    const range = heapRange();
    var sum: u64 = 0;
    var at = range.from;
    while (at < range.to) : (at += range.step) sum += @as(*allowzero volatile u8, @ptrFromInt(at)).*;
    replyNumber(sum);
}

fn touchWrite() callconv(.c) void {
    const range = heapRange();
    var at = range.from;
    while (at < range.to) : (at += range.step) @as(*allowzero volatile u8, @ptrFromInt(at)).* +%= 1;
    replyNumber(range.to);
}

const Range = struct { from: usize, to: usize, step: usize };

fn heapRange() Range {
    const from: usize = @intCast(number(0));
    const to = from + @as(usize, @intCast(number(1)));
    const pages = (to + 65535) / 65536;
    const have = @wasmMemorySize(0);
    if (pages > have and @wasmMemoryGrow(0, pages - have) < 0) fail("the heap is full");
    return .{ .from = from, .to = to, .step = @intCast(number(2)) };
}

fn certify() callconv(.c) void {
    const bytes = argument();
    ic0.certified_data_set(bytes.ptr, bytes.len);
    reply("");
}

fn certificate() callconv(.c) void {
    if (ic0.data_certificate_present() == 0) return reply("");
    const size = ic0.data_certificate_size();
    ic0.data_certificate_copy(&argument_buffer, 0, size);
    reply(argument_buffer[0..size]);
}

fn certifyInQuery() callconv(.c) void {
    ic0.certified_data_set("", 0);
    reply("");
}

fn setTimer() callconv(.c) void {
    replyNumber(ic0.global_timer_set(number(0)));
}

fn timer() callconv(.c) void {
    ticks += 1;
}

fn burn() callconv(.c) void {
    var burned: u128 = 0;
    ic0.cycles_burn128(0, number(0), &burned);
    replyNumber(@truncate(burned));
}

/// Numbers: ticks of the timer, calls of init and post_upgrade, cycles, canister version, time, caller is a controller,
/// replicated.
fn facts() callconv(.c) void {
    var cycles: u128 = 0;
    ic0.canister_cycle_balance128(&cycles);
    var bytes: [29]u8 = undefined;
    const size = ic0.msg_caller_size();
    ic0.msg_caller_copy(&bytes, 0, size);
    const values = [_]u64{
        ticks,
        started,
        @truncate(cycles),
        ic0.canister_version(),
        ic0.time(),
        @intCast(ic0.is_controller(&bytes, size)),
        @intCast(ic0.in_replicated_execution()),
    };
    reply(std.mem.sliceAsBytes(&values));
}

fn print() callconv(.c) void {
    const bytes = argument();
    ic0.debug_print(bytes.ptr, bytes.len);
    reply("");
}

fn outOfBounds() callconv(.c) void {
    ic0.msg_reply_data_append(@ptrFromInt(0xFFFF_FFF0), 1);
}

fn recurse() callconv(.c) void {
    replyNumber(deep(1));
}

noinline fn deep(depth: u64) u64 {
    var space: [64]u64 = undefined;
    std.mem.doNotOptimizeAway(&space);
    return if (depth == std.math.maxInt(u64)) 0 else deep(depth + 1) + space[@intCast(depth % 64)];
}

/// Everybody may call everything but the method "private".
fn inspect() callconv(.c) void {
    var name: [64]u8 = undefined;
    const size = ic0.msg_method_name_size();
    if (size > name.len) return;
    ic0.msg_method_name_copy(&name, 0, size);
    if (std.mem.eql(u8, name[0..size], "private")) return;
    ic0.accept_message();
}

fn init() callconv(.c) void {
    started += 1;
    if (std.mem.eql(u8, argument(), "trap")) fail("in init");
}

fn preUpgrade() callconv(.c) void {
    if (counter == 7) fail("in pre_upgrade");
    if (ic0.stable64_size() == 0) _ = ic0.stable64_grow(1);
    ic0.stable64_write(65528, @intFromPtr(&counter), 8);
}

comptime {
    const exports = .{
        .{ "canister_init", init },
        .{ "canister_pre_upgrade", preUpgrade },
        .{ "canister_post_upgrade", init },
        .{ "canister_inspect_message", inspect },
        .{ "canister_global_timer", timer },
        .{ "canister_update echo", echo },
        .{ "canister_query echo_query", echo },
        .{ "canister_update private", echo },
        .{ "canister_query caller", caller },
        .{ "canister_update inc", increment },
        .{ "canister_update count_everywhere", countEverywhere },
        .{ "canister_query get", get },
        .{ "canister_query inc_query", increment },
        .{ "canister_update trap_after_write", trapAfterWrite },
        .{ "canister_update refuse", refuse },
        .{ "canister_update silent", silent },
        .{ "canister_update stable_write", stableWrite },
        .{ "canister_query stable_read", stableRead },
        .{ "canister_query stable_write_query", stableWrite },
        .{ "canister_update spin", spin },
        .{ "canister_query spin_query", spin },
        .{ "canister_update touch_read", touchRead },
        .{ "canister_query touch_read_query", touchRead },
        .{ "canister_update touch_write", touchWrite },
        .{ "canister_update certify", certify },
        .{ "canister_query certificate", certificate },
        .{ "canister_query certify_in_query", certifyInQuery },
        .{ "canister_update set_timer", setTimer },
        .{ "canister_update burn", burn },
        .{ "canister_query facts", facts },
        .{ "canister_update print", print },
        .{ "canister_update out_of_bounds", outOfBounds },
        .{ "canister_update recurse", recurse },
    };
    for (exports) |entry| {
        const function = entry[1];
        @export(&function, .{ .name = entry[0] });
    }
}

const std = @import("std");
