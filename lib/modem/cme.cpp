#include "modem/cme.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace fota::modem {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 31> meanings{{
    {0, "the modem firmware does not know the command, or failed at it"},
    {3, "the modem does not allow this now"},
    {4, "the modem firmware does not support this"},
    {10, "no SIM is inserted"},
    {11, "the SIM wants its PIN"},
    {12, "the SIM is locked and wants its PUK"},
    {13, "the SIM does not work"},
    {14, "the SIM is busy"},
    {15, "the SIM is of the wrong kind"},
    {16, "the password is wrong"},
    {20, "the memory is full"},
    {22, "it was not found"},
    {23, "the memory failed"},
    {24, "the text is too long"},
    {25, "the text has characters the modem does not take"},
    {50, "the parameters are wrong"},
    {513, "the modem has nothing stored there"},
    {514, "the modem gives no access to this credential"},
    {515, "the modem's credential store is full"},
    {516, "a radio connection is active"},
    {517, "the modem is not activated"},
    {518, "the modem is active, and its credentials change only while it is offline"},
    {519, "the modem has such a credential already"},
    {520, "the modem's authentication failed, or the key is there already"},
    {521, "the network search was interrupted"},
    {522, "the band configuration does not fit the selected mode"},
    {523, "the modem could not generate the key"},
    {525, "the modem could not make the token"},
    {527, "the modem found the content invalid: not the text of this kind of credential"},
    {528, "the modem warns that its supply voltage is too low, and writes nothing"},
    {60, "the modem's system failed"},
}};

}  // namespace

std::string cme_text(int code) {
    for (const auto& [number, text] : meanings)
        if (number == code) return std::string(text);
    return fmt::format("error {}, to which neither 3GPP nor Nordic gives a meaning known here", code);
}

Result<> expect_ok(const Answer& answer, const std::string& asked) {
    const auto refused = [&](std::string found) {
        return Error(Errc::device_refused, fmt::format("expected the modem to {}, found {}", asked, found));
    };
    switch (answer.kind) {
        case Answer::Kind::ok:
            return {};
        case Answer::Kind::error:
            return fail(
                refused("ERROR without a reason: this modem firmware does not take the command or its parameters")
                    .with("cme", "none"));
        case Answer::Kind::cme:
            return fail(refused(fmt::format("{} (+CME ERROR: {})", cme_text(answer.code), answer.code))
                            .with("cme", std::to_string(answer.code)));
        case Answer::Kind::cms:
            return fail(refused(fmt::format("a message service error (+CMS ERROR: {})", answer.code)));
        case Answer::Kind::no_shell:
            return fail(refused("a shell without the command \"at\""));
        case Answer::Kind::shell:
            return fail(refused(fmt::format(
                "that the shell could not pass the command on (error {}): its buffers may be too small for it",
                answer.code)));
        case Answer::Kind::restarted:
            return fail(Errc::not_proven,
                        fmt::format("expected the modem to {}, found that the device restarted meanwhile", asked));
    }
    return fail(refused("another answer"));
}

}  // namespace fota::modem
