//! The system interface of the Internet Computer (wasm32), as far as it is used here, in Zig's types.
//! On the computer's own processor, for tests, the same functions come from host_fake.zig.

const builtin = @import("builtin");

const host = if (builtin.cpu.arch.isWasm()) @import("host_network.zig") else @import("host_fake.zig");

pub const page_size_bytes = 65536;

/// Copies the message's argument to `buffer`; null when it is longer than that.
pub fn argument(buffer: []u8) ?[]const u8 {
    const size_bytes = host.msg_arg_data_size();
    if (size_bytes > buffer.len) return null;
    host.msg_arg_data_copy(@intFromPtr(buffer.ptr), 0, size_bytes);
    return buffer[0..size_bytes];
}

pub fn reply(bytes: []const u8) void {
    host.msg_reply_data_append(@intFromPtr(bytes.ptr), bytes.len);
    host.msg_reply();
}

pub fn reject(text: []const u8) void {
    host.msg_reject(@intFromPtr(text.ptr), text.len);
}

pub fn trap(text: []const u8) noreturn {
    host.trap(@intFromPtr(text.ptr), text.len);
}

pub fn acceptMessage() void {
    host.accept_message();
}

/// The caller's principal: at most 29 bytes.
pub fn caller(buffer: *[29]u8) []const u8 {
    const size_bytes = @min(host.msg_caller_size(), buffer.len);
    host.msg_caller_copy(@intFromPtr(buffer), 0, size_bytes);
    return buffer[0..size_bytes];
}

pub fn isController(principal: []const u8) bool {
    return host.is_controller(@intFromPtr(principal.ptr), principal.len) == 1;
}

pub fn cycleBalance() u128 {
    var balance: u128 = 0;
    host.canister_cycle_balance128(@intFromPtr(&balance));
    return balance;
}

/// Instructions that this message has used so far.
pub fn instructionsUsed() u64 {
    return host.performance_counter(0);
}

/// Lets `canister_global_timer` be called as soon as the network has time for it.
pub fn callTimerSoon() void {
    _ = host.global_timer_set(1); // a time long past
}

pub const stable = struct {
    pub fn sizePages() u64 {
        return host.stable64_size();
    }

    /// False when the network refuses.
    pub fn grow(pages: u64) bool {
        return host.stable64_grow(pages) != @as(u64, @bitCast(@as(i64, -1)));
    }

    pub fn read(offset: u64, target: []u8) void {
        host.stable64_read(@intFromPtr(target.ptr), offset, target.len);
    }

    pub fn write(offset: u64, source: []const u8) void {
        host.stable64_write(offset, @intFromPtr(source.ptr), source.len);
    }
};

pub const heap = struct {
    pub fn sizePages() u32 {
        return host.heapSizePages();
    }

    /// False when the network refuses.
    pub fn grow(pages: u32) bool {
        return host.heapGrow(pages);
    }

    /// The bytes of `count` pages from page `first` on; they must be below `sizePages`.
    pub fn pageBytes(first: u32, count: u32) []align(page_size_bytes) u8 {
        return host.heapPages(first, count);
    }
};

/// What tests steer: caller, memory, counters.
pub const fake = if (builtin.is_test) host else @compileError("only for tests");
