// What a server's refusal means: {"rc"} of version 1, {"err":{"group","rc"}} of version 2, and what each number says.
// Source: Zephyr include/zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h and grp/*/*.h (the *_ret_code_t enumerations).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "smp/cbor.hpp"

namespace fota::smp {

struct Refusal {
    std::optional<std::uint16_t> group;  ///< of a version 2 group error; absent: an SMP error (mcumgr_err_t)
    std::uint64_t code = 0;
    std::string reason;  ///< version 1 servers with verbose errors; raw

    /// The command is not there: rc 8 of SMP itself.
    bool unsupported() const noexcept { return !group && code == 8; }
};

/// nullopt: the command was carried out. Both forms count in both versions: a version 2 server answers an unknown
/// command with a plain rc.
std::optional<Refusal> refusal_of(const Json& response);

/// "not an MCUboot image (image error 23)"; "the command is not there (SMP error 8)".
std::string describe(const Refusal& refusal);

/// device_refused with the details "group" (where there is one) and "rc"; `what` reads as "upload the image".
Error to_error(const Refusal& refusal, std::string_view what);
/// Whether an error is the answer of a server that does not have the command.
bool is_unsupported(const Error& error);

}  // namespace fota::smp
