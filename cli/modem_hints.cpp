#include "cli/modem_hints.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "base/text.hpp"

namespace fota::cli {
namespace {

constexpr std::string_view update_modem =
    "update the modem firmware (mfw_nrf9160_1.3.x) with the vendor's tool, then run this again";

/// By +CME ERROR; the meaning is in the message already.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> by_code{{
    {"none", update_modem},
    {"0", update_modem},
    {"10", "insert a SIM, or use a template without {iccid}"},
    {"513", "see what is there: AT%CMNG=1"},
    {"514", "that tag is protected or the modem's own: take another with --sec-tag N"},
    {"515", "free a place by tag and type, one that nobody needs: AT%CMNG=3,TAG,TYPE; fotactl deletes none unasked"},
    {"516", "stop the application's connection or reset the device, then run this again"},
    {"517", "reset the device, then run this again"},
    {"518", "stop what turns the modem on again meanwhile (the application), or reset the device; then run this again"},
    {"519", "see what is there: AT%CMNG=1; --replace deletes what is of the same type in this sec tag first"},
    {"520", "take another sec tag with --sec-tag N"},
    {"523", "run this again; if it stays so, update the modem firmware"},
    {"525", update_modem},
    {"527", "certificates and keys are PEM, a pre-shared key is hexadecimal text: look at the file that was written"},
    {"528", "charge the battery or give it a stronger supply, then run this again"},
}};

}  // namespace

std::vector<std::string> modem_hints(const Error& error) {
    std::vector<std::string> out;
    if (const auto cme = error.detail("cme"); !cme.empty()) {
        for (const auto& [code, advice] : by_code)
            if (code == cme) out.emplace_back(advice);
        if (out.empty()) out.emplace_back("reset the device, then run this again; what is in its store: AT%CMNG=1");
    }
    const auto modem = error.detail("modem");
    if (modem == "silent")
        out = {"is it this port, and is the board switched on? see what answers where: fotactl serial ports",
               "firmware that answers AT commands is needed for this (at_client, or a shell with the command at)"};
    if (modem == "other") out = {"another port of the board may be the modem's: fotactl serial ports"};
    if (modem == "no-at") out = {"build the firmware with CONFIG_AT_SHELL=y, or load at_client for this step"};
    if (modem == "occupied")
        out = {"--replace deletes these, and only these, first",
               "another place for them: --sec-tag N (the bootstrap server's is 35724862)"};
    if (modem == "differs") out = {"run this again with --replace", std::string(update_modem)};
    if (!error.detail("left-offline").empty() || modem == "left-offline")
        out.emplace_back("bring the modem back online: AT+CFUN=1, or reset the device");
    return out;
}

}  // namespace fota::cli
