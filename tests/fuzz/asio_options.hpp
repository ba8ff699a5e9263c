// How a fuzz program over Asio's coroutines is to be run. For one source file of the program.
#pragma once

#include <iterator>
#include <vector>

/// Thousands of small allocations a run: five times as fast without what only helps to read a report.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=4:detect_stack_use_after_return=0:malloc_context_size=2";
}

/// Asio keeps freed frames for the next coroutine, which libFuzzer takes for a possible leak: it would run each input
/// twice. Its entropic schedule costs as much as a run of the engine does. And a run of a hundred steps reads no more
/// than that many bytes: longer inputs are only slower.
extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    static char options[][20] = {"-detect_leaks=0", "-entropic=0", "-max_len=128"};
    static std::vector<char*> all(*arguments, *arguments + *count);
    all.insert(all.begin() + 1, std::begin(options), std::end(options));
    all.push_back(nullptr);
    *count = static_cast<int>(all.size()) - 1;
    *arguments = all.data();
    return 0;
}
