//! The functions that the network gives a wasm32 canister, as they are in the module's imports.

const page_size_bytes = 65536;

pub extern "ic0" fn msg_arg_data_size() usize;
pub extern "ic0" fn msg_arg_data_copy(target: usize, offset: usize, size_bytes: usize) void;
pub extern "ic0" fn msg_caller_size() usize;
pub extern "ic0" fn msg_caller_copy(target: usize, offset: usize, size_bytes: usize) void;
pub extern "ic0" fn msg_reply_data_append(source: usize, size_bytes: usize) void;
pub extern "ic0" fn msg_reply() void;
pub extern "ic0" fn msg_reject(source: usize, size_bytes: usize) void;
pub extern "ic0" fn accept_message() void;
pub extern "ic0" fn is_controller(source: usize, size_bytes: usize) u32;
pub extern "ic0" fn canister_cycle_balance128(target: usize) void;
pub extern "ic0" fn performance_counter(kind: u32) u64;
pub extern "ic0" fn global_timer_set(time_ns: u64) u64;
pub extern "ic0" fn stable64_size() u64;
pub extern "ic0" fn stable64_grow(pages: u64) u64;
pub extern "ic0" fn trap(source: usize, size_bytes: usize) noreturn;

// The network takes 64-bit addresses here, whatever the module's memory is.
pub extern "ic0" fn stable64_read(target: u64, offset: u64, size_bytes: u64) void;
pub extern "ic0" fn stable64_write(offset: u64, source: u64, size_bytes: u64) void;

pub fn heapSizePages() u32 {
    return @wasmMemorySize(0);
}

pub fn heapGrow(pages: u32) bool {
    return @wasmMemoryGrow(0, pages) >= 0;
}

pub fn heapPages(first: u32, count: u32) []align(page_size_bytes) u8 {
    const start: [*]align(page_size_bytes) u8 = @ptrFromInt(first * page_size_bytes);
    return start[0 .. count * page_size_bytes];
}
