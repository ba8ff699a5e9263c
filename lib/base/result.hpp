// Result<T>: a value or an Error. GCC 12's std::expected has no monadic members; TRY and CO_TRY stand in for them.
#pragma once

#include <expected>
#include <utility>

#include "base/error.hpp"

namespace fota {

template <class T = void>
using Result = std::expected<T, Error>;

using Failure = std::unexpected<Error>;

/// `return fail(Errc::usage, "expected X, found Y");`
inline Failure fail(Errc code, std::string message) {
    return Failure(Error(code, std::move(message)));
}
inline Failure fail(Error error) {
    return Failure(std::move(error));
}

/// Adds what was being done to a failed result; leaves a good one alone.
template <class T>
Result<T> in_context(Result<T> result, std::string doing) {
    if (result) return result;
    return Failure(std::move(result.error()).in(std::move(doing)));
}

}  // namespace fota

#define FOTA_CONCAT_(a, b) a##b
#define FOTA_CONCAT(a, b) FOTA_CONCAT_(a, b)

/// TRY(auto x, expression): declares x from the value, or returns the error from this function.
#define TRY(declaration, ...) FOTA_TRY_(FOTA_CONCAT(try_result_, __LINE__), declaration, return, __VA_ARGS__)
/// CO_TRY: the same in a coroutine. The expression may contain co_await.
#define CO_TRY(declaration, ...) FOTA_TRY_(FOTA_CONCAT(try_result_, __LINE__), declaration, co_return, __VA_ARGS__)
#define FOTA_TRY_(result, declaration, leave, ...)                 \
    auto result = __VA_ARGS__;                                     \
    if (!result) leave ::fota::Failure(std::move(result).error()); \
    declaration = std::move(*result)

/// TRY_VOID(expression): for Result<void>, or where the value is of no interest.
#define TRY_VOID(...) \
    if (auto try_result = __VA_ARGS__; !try_result) return ::fota::Failure(std::move(try_result).error())
/// The same in a coroutine; two statements, because GCC 12 destroys an awaitable too early when co_await stands in the
/// initialiser of an if.
#define CO_TRY_VOID(...) FOTA_CO_TRY_VOID_(FOTA_CONCAT(try_result_, __LINE__), __VA_ARGS__)
#define FOTA_CO_TRY_VOID_(result, ...) \
    auto result = __VA_ARGS__;         \
    if (!result) co_return ::fota::Failure(std::move(result).error())
