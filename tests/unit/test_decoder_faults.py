import pytest
import torch

from handlers.faults import is_device_lost, is_out_of_memory, place


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 23.69 GiB total capacity)"),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.05 GB, other allocations: 3.10 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if"),
        RuntimeError("Unable to find a valid cuDNN algorithm to run convolution"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
        RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 800 bytes."),
        RuntimeError("Expected canUse32BitIndexMath(input): input tensor must fit into 32-bit index math"),
    ],
)  # fmt: skip
def test_shortage_of_memory_has_many_names(error):
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


def test_the_allocator_of_the_cpu_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert is_out_of_memory(caught.value)


def test_a_shortage_is_found_behind_what_hides_it():
    error = RuntimeError("decoding failed")
    error.__cause__ = torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("empty"), KeyError("y_sequence")]
)
def test_other_errors_are_neither_shortage_nor_loss(error):
    assert not is_out_of_memory(error)
    assert not is_device_lost(error)


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered",
        "CUDA error: unspecified launch failure",
        "CUDA error: misaligned address",
        "CUDA error: uncorrectable ECC error encountered",
        "CUDA error: the launch timed out and was terminated",
    ],
)
def test_after_these_errors_the_gpu_does_not_answer_any_more(text):
    assert is_device_lost(RuntimeError(text))
    assert not is_out_of_memory(RuntimeError(text))


def test_the_place_of_an_error_is_a_file_without_its_path_and_a_line():
    with pytest.raises(ZeroDivisionError) as caught:
        raise ZeroDivisionError
    assert place(caught.value).startswith("test_decoder_faults.py:")
    assert place(ValueError()) == "unknown"
