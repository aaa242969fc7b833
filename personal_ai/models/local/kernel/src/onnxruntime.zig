//! The part of onnxruntime's C interface that an operator of one's own needs (onnxruntime_c_api.h, version 18).

const std = @import("std");

pub const version = 18; // the first with KernelInfoGetAllocator

pub const Status = opaque {};
pub const Value = opaque {};
pub const SessionOptions = opaque {};
pub const Domain = opaque {};
pub const KernelInfo = opaque {};
pub const KernelContext = opaque {};
pub const Allocator = opaque {};
const TypeAndShape = opaque {};

/// ONNXTensorElementDataType.
pub const Element = enum(c_int) { any = 0, f32 = 1, u8 = 2, i8 = 3, _ };

/// OrtErrorCode.
pub const Code = enum(c_int) { invalid_argument = 2, not_implemented = 9 };

/// A function that `KernelContext_ParallelFor` calls once for each number below the count.
pub const Task = *const fn (*anyopaque, usize) callconv(.c) void;

const dimensions_max = 8;

pub const ApiBase = extern struct {
    getApi: *const fn (wanted: u32) callconv(.c) ?*const Api,
    getVersion: *const fn () callconv(.c) [*:0]const u8,
};

/// OrtApi: pointers to functions. Later versions add to its end and change no place.
pub const Api = extern struct {
    functions: [279]*const anyopaque,

    const places = .{
        .CreateStatus = .{ 0, fn (Code, [*:0]const u8) callconv(.c) ?*Status },
        .CreateCustomOpDomain = .{ 26, fn ([*:0]const u8, *?*Domain) callconv(.c) ?*Status },
        .CustomOpDomain_Add = .{ 27, fn (*Domain, *const Operator) callconv(.c) ?*Status },
        .AddCustomOpDomain = .{ 28, fn (*SessionOptions, *Domain) callconv(.c) ?*Status },
        .GetTensorMutableData = .{ 51, fn (*const Value, **anyopaque) callconv(.c) ?*Status },
        .GetTensorElementType = .{ 60, fn (*const TypeAndShape, *Element) callconv(.c) ?*Status },
        .GetDimensionsCount = .{ 61, fn (*const TypeAndShape, *usize) callconv(.c) ?*Status },
        .GetDimensions = .{ 62, fn (*const TypeAndShape, [*]i64, usize) callconv(.c) ?*Status },
        .GetTensorTypeAndShape = .{ 65, fn (*const Value, **TypeAndShape) callconv(.c) ?*Status },
        .AllocatorAlloc = .{ 75, fn (*Allocator, usize, **anyopaque) callconv(.c) ?*Status },
        .AllocatorFree = .{ 76, fn (*Allocator, *anyopaque) callconv(.c) ?*Status },
        .KernelInfoGetAttribute_int64 = .{ 86, fn (*const KernelInfo, [*:0]const u8, *i64) callconv(.c) ?*Status },
        .KernelContext_GetInput = .{ 90, fn (*const KernelContext, usize, *?*const Value) callconv(.c) ?*Status },
        .KernelContext_GetOutput = .{
            91,
            fn (*KernelContext, usize, [*]const i64, usize, *?*Value) callconv(.c) ?*Status,
        },
        .ReleaseStatus = .{ 93, fn (?*Status) callconv(.c) void },
        .ReleaseTensorTypeAndShapeInfo = .{ 99, fn (*TypeAndShape) callconv(.c) void },
        .ReleaseCustomOpDomain = .{ 101, fn (*Domain) callconv(.c) void },
        .ReleaseAllocator = .{ 132, fn (*Allocator) callconv(.c) void },
        .KernelInfo_GetInputCount = .{ 230, fn (*const KernelInfo, *usize) callconv(.c) ?*Status },
        .KernelInfo_GetOutputCount = .{ 231, fn (*const KernelInfo, *usize) callconv(.c) ?*Status },
        .KernelInfoGetConstantInput_tensor = .{
            249,
            fn (*const KernelInfo, usize, *c_int, *?*const Value) callconv(.c) ?*Status,
        },
        .KernelContext_ParallelFor = .{
            274,
            fn (*const KernelContext, Task, usize, usize, *anyopaque) callconv(.c) ?*Status,
        },
        .KernelInfoGetAllocator = .{ 278, fn (*const KernelInfo, c_int, **Allocator) callconv(.c) ?*Status },
    };
    const Name = @Type(.enum_literal);

    pub inline fn function(api: *const Api, comptime name: Name) *const @field(places, @tagName(name))[1] {
        return @ptrCast(api.functions[@field(places, @tagName(name))[0]]);
    }
};

/// Something that is not as it must be: `Calls.status` says what.
pub const Refused = error{Refused};

/// Calls of onnxruntime, and the status of the one that failed.
pub const Calls = struct {
    api: *const Api,
    status: ?*Status = null,

    pub inline fn call(calls: *Calls, comptime name: Api.Name, arguments: anytype) Refused!void {
        calls.status = @call(.auto, calls.api.function(name), arguments);
        if (calls.status != null) return error.Refused;
    }

    pub fn refuse(calls: *Calls, comptime reason: [:0]const u8) Refused {
        calls.status = calls.api.function(.CreateStatus)(.invalid_argument, "BlockProducts: " ++ reason);
        return error.Refused;
    }

    pub fn tensor(calls: *Calls, value: ?*const Value) Refused!Tensor {
        const given = value orelse return calls.refuse("a tensor is missing");
        var info: *TypeAndShape = undefined;
        try calls.call(.GetTensorTypeAndShape, .{ given, &info });
        defer calls.api.function(.ReleaseTensorTypeAndShapeInfo)(info);
        var found: Tensor = undefined;
        try calls.call(.GetTensorElementType, .{ info, &found.element });
        try calls.call(.GetDimensionsCount, .{ info, &found.rank });
        if (found.rank > dimensions_max) return calls.refuse("a tensor has too many dimensions");
        try calls.call(.GetDimensions, .{ info, &found.dimensions, found.rank });
        try calls.call(.GetTensorMutableData, .{ given, &found.data });
        return found;
    }

    /// An input that never changes: it stays where it is as long as the kernel lives.
    pub fn constant(calls: *Calls, info: *const KernelInfo, index: usize) Refused!Tensor {
        var is_constant: c_int = 0;
        var value: ?*const Value = null;
        try calls.call(.KernelInfoGetConstantInput_tensor, .{ info, index, &is_constant, &value });
        if (is_constant == 0) return calls.refuse("a matrix is no constant");
        return calls.tensor(value);
    }

    pub fn attribute(calls: *Calls, info: *const KernelInfo, name: [:0]const u8, max: usize) Refused!usize {
        var value: i64 = 0;
        try calls.call(.KernelInfoGetAttribute_int64, .{ info, name, &value });
        if (value < 0 or value > max) return calls.refuse("an attribute is out of range");
        return @intCast(value);
    }
};

pub const Tensor = struct {
    element: Element,
    rank: usize,
    dimensions: [dimensions_max]i64,
    data: *anyopaque,

    pub fn is(tensor: *const Tensor, element: Element, dimensions: []const usize) bool {
        if (tensor.element != element or tensor.rank != dimensions.len) return false;
        for (tensor.dimensions[0..tensor.rank], dimensions) |length, wanted| if (length != wanted) return false;
        return true;
    }
};

pub const Characteristic = enum(c_int) { required = 0, variadic = 2 };

/// OrtCustomOp.
pub const Operator = extern struct {
    version: u32 = version,
    createKernel: ?*const anyopaque = null,
    getName: *const fn (*const Operator) callconv(.c) [*:0]const u8,
    getExecutionProviderType: *const fn (*const Operator) callconv(.c) ?[*:0]const u8 = onProcessor,
    getInputType: *const fn (*const Operator, usize) callconv(.c) Element,
    getInputTypeCount: *const fn (*const Operator) callconv(.c) usize,
    getOutputType: *const fn (*const Operator, usize) callconv(.c) Element,
    getOutputTypeCount: *const fn (*const Operator) callconv(.c) usize,
    kernelCompute: ?*const anyopaque = null,
    kernelDestroy: *const fn (*anyopaque) callconv(.c) void,
    getInputCharacteristic: *const fn (*const Operator, usize) callconv(.c) Characteristic,
    getOutputCharacteristic: *const fn (*const Operator, usize) callconv(.c) Characteristic,
    getInputMemoryType: *const fn (*const Operator, usize) callconv(.c) c_int = defaultMemory,
    getVariadicInputMinArity: *const fn (*const Operator) callconv(.c) c_int = number(1),
    getVariadicInputHomogeneity: *const fn (*const Operator) callconv(.c) c_int = number(0),
    getVariadicOutputMinArity: *const fn (*const Operator) callconv(.c) c_int = number(1),
    getVariadicOutputHomogeneity: *const fn (*const Operator) callconv(.c) c_int = number(1),
    createKernelV2: *const fn (*const Operator, *const Api, *const KernelInfo, *?*anyopaque) callconv(.c) ?*Status,
    kernelComputeV2: *const fn (*anyopaque, *KernelContext) callconv(.c) ?*Status,
    inferOutputShape: ?*const anyopaque = null,
    getStartVersion: *const fn (*const Operator) callconv(.c) c_int = number(1),
    getEndVersion: *const fn (*const Operator) callconv(.c) c_int = number(std.math.maxInt(c_int)),
    getMayInplace: ?*const anyopaque = null,
    releaseMayInplace: ?*const anyopaque = null,
    getAliasMap: ?*const anyopaque = null,
    releaseAliasMap: ?*const anyopaque = null,

    fn onProcessor(_: *const Operator) callconv(.c) ?[*:0]const u8 {
        return null;
    }

    fn defaultMemory(_: *const Operator, _: usize) callconv(.c) c_int {
        return 0;
    }

    fn number(comptime value: c_int) fn (*const Operator) callconv(.c) c_int {
        return struct {
            fn get(_: *const Operator) callconv(.c) c_int {
                return value;
            }
        }.get;
    }
};
