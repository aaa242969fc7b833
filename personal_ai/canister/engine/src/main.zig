//! The canister's entry points: who calls, what is asked, what is answered. Nothing here traps, whatever the argument.

const std = @import("std");
const access = @import("access.zig");
const activation = @import("activation.zig");
const budget = @import("budget.zig");
const decoding = @import("candid_decode.zig");
const candid = @import("candid.zig");
const encode = @import("candid_encode.zig").encode;
const generation = @import("generate.zig");
const ic0 = @import("ic0.zig");
const interface = @import("interface.zig");
const manifest = @import("manifest.zig");
const running = @import("run.zig");
const report = @import("status.zig");
const store = @import("store.zig");
const upload = @import("upload.zig");

/// Messages are at most 2 MiB; calls between canisters of one subnet may be longer and are refused.
var argument_buffer: [2 << 20]u8 = undefined;
var reply_buffer: [2 << 20]u8 = undefined;
/// A piece of a file, or the numbers of a graph's outputs.
var answer_buffer: [manifest.chunk_size_bytes]u8 = undefined;
var types: decoding.Types = .{};

pub const panic = std.debug.FullPanic(panicked);

fn panicked(text: []const u8, _: ?usize) noreturn {
    ic0.trap(text);
}

comptime {
    @export(&start, .{ .name = "canister_init" });
    @export(&startAgain, .{ .name = "canister_post_upgrade" });
    @export(&activation.onTimer, .{ .name = "canister_global_timer" });
    @export(&stop, .{ .name = "canister_pre_upgrade" });
    @export(&inspect, .{ .name = "canister_inspect_message" });
    for (std.meta.declarations(updates)) |method| {
        @export(&entry(@field(updates, method.name)), .{ .name = "canister_update " ++ method.name });
    }
    for (std.meta.declarations(queries)) |method| {
        @export(&entry(@field(queries, method.name)), .{ .name = "canister_query " ++ method.name });
    }
}

const UploadResult = interface.Result(interface.UploadState, interface.UploadError);
const GenerateResult = interface.Result(interface.Generated, interface.GenerateError);

const updates = struct {
    pub fn begin_upload(args: struct { interface.UploadManifest }) UploadResult {
        return upload.begin(&args[0]);
    }

    pub fn put_chunk(args: struct { u32, candid.Blob }) UploadResult {
        return upload.put(args[0], args[1].bytes);
    }

    pub fn drop_upload(_: struct {}) interface.Result(void, interface.UploadError) {
        return upload.drop();
    }

    pub fn activate(args: struct { interface.Activation }) interface.Result(interface.ActivationState, interface.ModelError) {
        return activation.activate(args[0]);
    }

    pub fn unload(_: struct {}) interface.Result(void, interface.ModelError) {
        return activation.unload();
    }

    pub fn generate(args: struct { interface.GenerateRequest }) GenerateResult {
        return generation.generate(&args[0], budget.update_limit);
    }

    pub fn run(args: struct { interface.RunRequest }) interface.RunResult {
        return running.run(&args[0], budget.update_limit, &answer_buffer);
    }
};

const queries = struct {
    pub fn status(_: struct {}) interface.Status {
        return report.status();
    }

    pub fn missing_chunks(_: struct {}) interface.Result([]const u32, interface.UploadError) {
        return upload.missing();
    }

    pub fn read_file(args: struct { candid.Text, u64, u32 }) interface.Result(candid.Blob, interface.ModelError) {
        return activation.readFile(args[0].bytes, args[1], answer_buffer[0..@min(args[2], answer_buffer.len)]);
    }

    pub fn generate_query(args: struct { interface.GenerateRequest }) GenerateResult {
        return generation.generate(&args[0], budget.query_limit);
    }

    pub fn run_query(args: struct { interface.RunRequest }) interface.RunResult {
        return running.run(&args[0], budget.query_limit, &answer_buffer);
    }
};

fn start() callconv(.c) void {
    store.open() catch |err| ic0.trap(switch (err) {
        error.ForeignStableMemory => "stable memory belongs to another program",
        error.UnknownVersion => "stable memory was written by a newer module",
        error.Damaged => "stable memory is damaged",
        error.NoRoom => "stable memory cannot grow",
    });
}

fn startAgain() callconv(.c) void {
    start();
    activation.loadAfterUpgrade();
}

fn stop() callconv(.c) void {
    store.writeHeader();
}

fn inspect() callconv(.c) void {
    if (access.callerIsOwner()) ic0.acceptMessage();
}

/// A canister method around a function that takes the arguments' tuple and gives the reply.
fn entry(comptime method: anytype) fn () callconv(.c) void {
    const function = @typeInfo(@TypeOf(method)).@"fn";
    const Args = function.params[0].type.?;
    const Reply = function.return_type.?;
    return struct {
        fn run() callconv(.c) void {
            if (!access.callerIsOwner()) return ic0.reject("only a controller of this canister may use it");
            const argument = ic0.argument(&argument_buffer) orelse return refuse(Reply, "the argument is longer than 2 MiB");
            const args = decoding.decode(Args, argument, &types) catch |err| return refuse(Reply, switch (err) {
                error.Malformed => "the argument is not a Candid message",
                error.WrongType => "the argument is not of the types that this method takes",
                error.TooComplex => "the argument is more complex than any argument of this method",
            });
            send(Reply, method(args));
        }
    }.run;
}

/// Says no in the method's own error type where it has one.
fn refuse(comptime Reply: type, text: []const u8) void {
    if (@typeInfo(Reply) != .@"union") return ic0.reject(text);
    send(Reply, .{ .err = .{ .invalid = .{ .bytes = text } } });
}

fn send(comptime Reply: type, reply: Reply) void {
    const bytes = encode(Reply, reply, &reply_buffer) catch return ic0.reject("the reply is longer than a message");
    ic0.reply(bytes);
}
