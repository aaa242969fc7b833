//! BlockProducts, an operator for onnxruntime: x f32 [..., rows, inputs] times one to three quantised matrices.
//!
//! Inputs: x; then of each matrix its integers, int8 [inputs, outputs] or, two of four bits to a byte, uint8
//! [ceil(inputs * outputs / 2)]; its scales f32 [ceil(inputs / 64), outputs]; and where the attribute `biased` is 1 its
//! bias f32 [outputs]. They are constants. Outputs: f32 [..., rows, outputs] of each matrix. Attributes: `input_size`
//! (inputs), `biased`, `threads` (among how many the work for one row is shared).
//!
//! Everything that comes in is checked before a pointer is followed; onnxruntime tells the reason of a refusal.

const std = @import("std");
const ort = @import("onnxruntime.zig");
const activations = @import("activations.zig");
const weights = @import("weights.zig");
const work = @import("work.zig");
const Calls = ort.Calls;
const Refused = ort.Refused;
const divCeil = work.divCeil;

const inputs_max = 1 << 20;
const outputs_max = 1 << 24;
const threads_max = 1 << 10;
const stack_blocks = 128; // of activations: more of them are kept in memory of onnxruntime's

const Kernel = struct {
    api: *const ort.Api,
    allocator: *ort.Allocator,
    inputs: usize,
    threads: usize,
    count: usize,
    matrices: [work.matrices_max]work.Matrix,

    fn create(calls: *Calls, info: *const ort.KernelInfo) Refused!*Kernel {
        var allocator: *ort.Allocator = undefined;
        try calls.call(.KernelInfoGetAllocator, .{ info, 0, &allocator });
        errdefer calls.api.function(.ReleaseAllocator)(allocator);
        const read = try Kernel.of(calls, allocator, info);
        var memory: *anyopaque = undefined;
        try calls.call(.AllocatorAlloc, .{ allocator, @sizeOf(Kernel), &memory });
        const kernel: *Kernel = @ptrCast(@alignCast(memory));
        kernel.* = read;
        return kernel;
    }

    fn destroy(kernel: *Kernel) void {
        const api, const allocator = .{ kernel.api, kernel.allocator };
        api.function(.ReleaseStatus)(api.function(.AllocatorFree)(allocator, kernel));
        api.function(.ReleaseAllocator)(allocator);
    }

    fn of(calls: *Calls, allocator: *ort.Allocator, info: *const ort.KernelInfo) Refused!Kernel {
        var kernel = Kernel{
            .api = calls.api,
            .allocator = allocator,
            .inputs = try calls.attribute(info, "input_size", inputs_max),
            .threads = @max(1, try calls.attribute(info, "threads", threads_max)),
            .count = undefined,
            .matrices = undefined,
        };
        const biased = try calls.attribute(info, "biased", 1) == 1;
        const parts: usize = if (biased) 3 else 2;
        var given: usize = 0;
        try calls.call(.KernelInfo_GetOutputCount, .{ info, &kernel.count });
        try calls.call(.KernelInfo_GetInputCount, .{ info, &given });
        if (kernel.inputs == 0) return calls.refuse("there are no inputs");
        if (kernel.count == 0 or kernel.count > work.matrices_max) {
            return calls.refuse("so many matrices are not possible");
        }
        if (given != 1 + parts * kernel.count) return calls.refuse("there are not as many matrices as outputs");
        for (kernel.matrices[0..kernel.count], 0..) |*matrix, i| {
            matrix.* = try matrixOf(calls, info, 1 + parts * i, kernel.inputs, biased);
        }
        return kernel;
    }

    fn matrixOf(
        calls: *Calls,
        info: *const ort.KernelInfo,
        first: usize,
        inputs: usize,
        biased: bool,
    ) Refused!work.Matrix {
        const integers = try calls.constant(info, first);
        const scales = try calls.constant(info, first + 1);
        const outputs = std.math.cast(usize, if (scales.rank == 2) scales.dimensions[1] else 0) orelse 0;
        if (outputs == 0 or outputs > outputs_max) return calls.refuse("so many outputs are not possible");
        if (!scales.is(.f32, &.{ divCeil(inputs, weights.block), outputs })) return calls.refuse("scales do not fit");
        var matrix = work.Matrix{ .weights = undefined, .bias = null };
        if (integers.is(.i8, &.{ inputs, outputs })) {
            matrix.weights = .{ .eight = weightsOf(8, &integers, &scales, inputs, outputs) };
        } else if (integers.is(.u8, &.{divCeil(inputs * outputs, 2)})) {
            matrix.weights = .{ .four = weightsOf(4, &integers, &scales, inputs, outputs) };
        } else return calls.refuse("integers do not fit");
        if (biased) {
            const bias = try calls.constant(info, first + 2);
            if (!bias.is(.f32, &.{outputs})) return calls.refuse("a bias does not fit");
            matrix.bias = @ptrCast(@alignCast(bias.data));
        }
        return matrix;
    }

    fn compute(kernel: *const Kernel, calls: *Calls, context: *ort.KernelContext) Refused!void {
        var value: ?*const ort.Value = null;
        try calls.call(.KernelContext_GetInput, .{ context, 0, &value });
        var x = try calls.tensor(value);
        if (x.element != .f32 or x.rank == 0) return calls.refuse("x does not fit");
        const length = &x.dimensions[x.rank - 1];
        if (length.* != kernel.inputs) return calls.refuse("x does not fit");
        var task = work.Work{
            .x = @ptrCast(@alignCast(x.data)),
            .rows = 1,
            .inputs = kernel.inputs,
            .threads = kernel.threads,
            .matrices = kernel.matrices[0..kernel.count],
            .results = undefined,
        };
        for (x.dimensions[0 .. x.rank - 1]) |rows| task.rows *= @intCast(rows);
        for (task.results[0..kernel.count], task.matrices, 0..) |*result, *matrix, i| {
            length.* = @intCast(matrix.outputs());
            var output: ?*ort.Value = null;
            try calls.call(.KernelContext_GetOutput, .{ context, i, &x.dimensions, x.rank, &output });
            const y = try calls.tensor(output);
            result.* = @ptrCast(@alignCast(y.data));
        }
        try kernel.run(calls, context, &task);
    }

    fn run(kernel: *const Kernel, calls: *Calls, context: *ort.KernelContext, task: *work.Work) Refused!void {
        const parallel = Parallel{ .calls = calls, .context = context };
        const count = task.rows * task.blockCount();
        if (count <= stack_blocks) {
            var blocks: [stack_blocks]activations.Block = undefined;
            task.blocks = &blocks;
            return task.run(parallel);
        }
        var memory: *anyopaque = undefined;
        try calls.call(.AllocatorAlloc, .{ kernel.allocator, count * @sizeOf(activations.Block), &memory });
        defer calls.api.function(.ReleaseStatus)(calls.api.function(.AllocatorFree)(kernel.allocator, memory));
        task.blocks = @ptrCast(@alignCast(memory));
        try task.run(parallel);
    }
};

fn weightsOf(
    comptime bits: comptime_int,
    integers: *const ort.Tensor,
    scales: *const ort.Tensor,
    inputs: usize,
    outputs: usize,
) weights.Weights(bits) {
    return .{
        .integers = @ptrCast(integers.data),
        .scales = @ptrCast(@alignCast(scales.data)),
        .inputs = inputs,
        .outputs = outputs,
    };
}

/// onnxruntime's threads.
const Parallel = struct {
    calls: *Calls,
    context: *ort.KernelContext,

    pub fn run(self: Parallel, task: ort.Task, count: usize, memory: *anyopaque) Refused!void {
        try self.calls.call(.KernelContext_ParallelFor, .{ self.context, task, count, count, memory });
    }
};

/// What onnxruntime calls.
const callbacks = struct {
    fn name(_: *const ort.Operator) callconv(.c) [*:0]const u8 {
        return "BlockProducts";
    }

    fn inputType(_: *const ort.Operator, index: usize) callconv(.c) ort.Element {
        return if (index == 0) .f32 else .any;
    }

    fn outputType(_: *const ort.Operator, _: usize) callconv(.c) ort.Element {
        return .f32;
    }

    fn inputCount(_: *const ort.Operator) callconv(.c) usize {
        return 2;
    }

    fn outputCount(_: *const ort.Operator) callconv(.c) usize {
        return 1;
    }

    fn inputCharacteristic(_: *const ort.Operator, index: usize) callconv(.c) ort.Characteristic {
        return if (index == 0) .required else .variadic;
    }

    fn outputCharacteristic(_: *const ort.Operator, _: usize) callconv(.c) ort.Characteristic {
        return .variadic;
    }

    fn create(
        _: *const ort.Operator,
        api: *const ort.Api,
        info: *const ort.KernelInfo,
        to: *?*anyopaque,
    ) callconv(.c) ?*ort.Status {
        var calls = Calls{ .api = api };
        to.* = Kernel.create(&calls, info) catch return calls.status;
        return null;
    }

    fn compute(memory: *anyopaque, context: *ort.KernelContext) callconv(.c) ?*ort.Status {
        const kernel: *const Kernel = @ptrCast(@alignCast(memory));
        var calls = Calls{ .api = kernel.api };
        kernel.compute(&calls, context) catch return calls.status;
        return null;
    }

    fn destroy(memory: *anyopaque) callconv(.c) void {
        Kernel.destroy(@ptrCast(@alignCast(memory)));
    }
};

pub const operator = ort.Operator{
    .getName = callbacks.name,
    .getInputType = callbacks.inputType,
    .getInputTypeCount = callbacks.inputCount,
    .getOutputType = callbacks.outputType,
    .getOutputTypeCount = callbacks.outputCount,
    .getInputCharacteristic = callbacks.inputCharacteristic,
    .getOutputCharacteristic = callbacks.outputCharacteristic,
    .createKernelV2 = callbacks.create,
    .kernelComputeV2 = callbacks.compute,
    .kernelDestroy = callbacks.destroy,
};
