#include "provision/modem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/text.hpp"
#include "modem/cme.hpp"
#include "provision/at_session.hpp"
#include "provision/naming.hpp"
#include "provision/signing_request.hpp"

namespace fota::provision {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using modem::CredentialType;

namespace {

constexpr Milliseconds soon = 5s;
/// Going offline detaches from the network first; the store is flash; key generation takes its time.
constexpr Milliseconds patient = 60s;

std::string type_name(CredentialType type) {
    return modem::type_text(static_cast<int>(type));
}

/// The SHA-256 the modem may list for this text: as it is, and as a shell changes it (hexadecimal in the other case, CR
/// LF for LF).
std::vector<Digest256> digests_of(const ModemCredential& credential) {
    const auto& text = credential.content.reveal();
    std::vector<Digest256> out{sha256(as_bytes(text))};
    if (credential.type == CredentialType::psk) {
        std::string upper = text;
        for (auto& each : upper)
            if (each >= 'a' && each <= 'f') each = static_cast<char>(each - 'a' + 'A');
        out.push_back(sha256(as_bytes(upper)));
        (void)Secret<std::string>(std::move(upper));
    } else if (text.find('\n') != std::string::npos) {
        std::string crlf;
        for (const char each : text) {
            if (each == '\n') crlf += '\r';
            crlf += each;
        }
        out.push_back(sha256(as_bytes(crlf)));
        (void)Secret<std::string>(std::move(crlf));
    }
    return out;
}

class Run {
  public:
    Run(ports::SerialLine& line, ports::Clock& clock, ModemPlan& plan, std::function<void(const std::string&)>& step,
        ModemReport& report)
        : at_(line, clock), plan_(plan), step_(step), report_(report) {}

    /// All but restoring the functional mode.
    awaitable<Result<>> work();
    awaitable<Result<>> restore();
    /// After a failure: what is in the modem now.
    awaitable<void> take_stock();

  private:
    awaitable<Result<>> identify();
    awaitable<Result<std::string>> text(const modem::Command& command, bool wanted, std::string_view what);
    awaitable<Result<std::vector<modem::StoredCredential>>> list();
    awaitable<Result<>> go_offline();
    awaitable<Result<>> write_all();
    awaitable<Result<>> make_key();
    Result<> compare_before(const std::vector<modem::StoredCredential>& stored);
    void compare_after(const std::vector<modem::StoredCredential>& stored);
    Result<> judge() const;
    const modem::StoredCredential* find(const std::vector<modem::StoredCredential>& stored, CredentialType type) const;
    void say(const std::string& what) {
        if (step_) step_(what);
    }

    AtSession at_;
    ModemPlan& plan_;
    std::function<void(const std::string&)>& step_;
    ModemReport& report_;
    std::vector<ModemCredential> credentials_;
    std::vector<bool> delete_first_;
    bool other_key_ = false;
    bool changed_ = false;
    bool went_offline_ = false;
    bool listed_ = false;
};

awaitable<Result<std::string>> Run::text(const modem::Command& command, bool wanted, std::string_view what) {
    CO_TRY(const auto answer, co_await at_.ask_again(command, soon));
    auto value = modem::parse_text(answer, what);
    const auto good = modem::expect_ok(answer, fmt::format("tell {}", what));
    if (good && value) co_return value;
    if (!wanted) co_return std::string{};
    co_return good ? std::move(value) : fail(good.error());
}

awaitable<Result<>> Run::identify() {
    say("looking for a modem");
    ModemIdentity identity;
    CO_TRY(identity.dialect, co_await at_.detect());
    // Without it every refusal is a bare ERROR; a firmware that lacks it is still provisioned.
    CO_TRY_VOID(co_await at_.ask_again(modem::numeric_errors(), soon));
    CO_TRY(const auto imei, co_await at_.ask_again(modem::ask_imei(), soon));
    CO_TRY_VOID(modem::expect_ok(imei, "tell its IMEI"));
    CO_TRY(identity.imei, modem::parse_imei(imei));
    CO_TRY(identity.model, co_await text(modem::ask_model(), false, "its model"));
    CO_TRY(identity.firmware, co_await text(modem::ask_firmware(), false, "its firmware version"));
    CO_TRY(identity.hardware, co_await text(modem::ask_hardware(), false, "its hardware version"));
    if (plan_.want_iccid) {
        CO_TRY(const auto iccid, co_await at_.ask_again(modem::ask_iccid(), soon));
        CO_TRY_VOID(modem::expect_ok(iccid, "tell the SIM's ICCID, which the template asks for"));
        CO_TRY(identity.iccid, modem::parse_iccid(iccid));
    }
    if (plan_.want_attestation) {
        CO_TRY(identity.attestation, co_await text(modem::ask_attestation(), true, "its attestation token"));
    }
    report_.modem = std::move(identity);
    co_return Result<>{};
}

awaitable<Result<std::vector<modem::StoredCredential>>> Run::list() {
    CO_TRY(const auto answer, co_await at_.ask_again(modem::list_credentials(), patient));
    CO_TRY_VOID(modem::expect_ok(answer, "list its credentials"));
    co_return modem::parse_credentials(answer);
}

const modem::StoredCredential* Run::find(const std::vector<modem::StoredCredential>& stored,
                                         CredentialType type) const {
    const auto found = std::ranges::find_if(stored, [&](const modem::StoredCredential& each) {
        return each.tag == plan_.sec_tag && each.type == static_cast<int>(type);
    });
    return found == stored.end() ? nullptr : &*found;
}

Result<> Run::compare_before(const std::vector<modem::StoredCredential>& stored) {
    std::string others;
    delete_first_.assign(credentials_.size(), false);
    for (std::size_t i = 0; i < credentials_.size(); ++i) {
        const auto* there = find(stored, credentials_[i].type);
        if (there == nullptr) continue;
        const auto digests = digests_of(credentials_[i]);
        if (there->digest && std::ranges::find(digests, *there->digest) != digests.end()) {
            report_.credentials[i].state = CredentialState::already;
            continue;
        }
        delete_first_[i] = true;
        others += fmt::format("{}{}{}", others.empty() ? "" : ", ", type_name(credentials_[i].type),
                              there->digest ? " (SHA-256 " + short_hex(*there->digest) + ")" : "");
    }
    if (plan_.generate_key && find(stored, CredentialType::client_key) != nullptr) {
        other_key_ = true;
        others += fmt::format("{}{}", others.empty() ? "" : ", ", type_name(CredentialType::client_key));
    }
    if (!others.empty() && !plan_.replace)
        return fail(
            Error(Errc::policy_refused, fmt::format("expected sec tag {} free for these credentials, found others"
                                                    " there: {}; nothing was changed",
                                                    plan_.sec_tag, others))
                .with("modem", "occupied")
                .with("sec_tag", std::to_string(plan_.sec_tag)));
    return {};
}

awaitable<Result<>> Run::go_offline() {
    CO_TRY(const auto now, co_await at_.ask_again(modem::ask_functionality(), soon));
    CO_TRY_VOID(modem::expect_ok(now, "tell its functional mode"));
    CO_TRY(report_.functionality, modem::parse_functionality(now));
    if (modem::offline(*report_.functionality)) co_return Result<>{};
    say("taking the modem offline");
    // From here on it may be offline, also when the answer is lost.
    went_offline_ = true;
    CO_TRY(const auto answer, co_await at_.ask(modem::set_functionality(4), patient));
    auto good = modem::expect_ok(answer, "go offline (+CFUN=4)");
    if (!good && good.error().code() == Errc::device_refused) went_offline_ = false;
    co_return good;
}

awaitable<Result<>> Run::write_all() {
    for (std::size_t i = 0; i < credentials_.size(); ++i) {
        auto& line = report_.credentials[i];
        if (line.state == CredentialState::already) continue;
        const auto name = type_name(line.type);
        CO_TRY(const auto command, modem::write_credential(plan_.sec_tag, line.type, credentials_[i].content));
        CO_TRY_VOID(modem::encode(command, at_.dialect()));  // before anything is deleted for it
        if (delete_first_[i]) {
            say(fmt::format("deleting the other {}", name));
            changed_ = true;
            line.state = CredentialState::unknown;
            CO_TRY(const auto gone, co_await at_.ask(modem::delete_credential(plan_.sec_tag, line.type), patient));
            CO_TRY_VOID(modem::expect_ok(gone, fmt::format("delete the {} in sec tag {}", name, plan_.sec_tag)));
        }
        say(fmt::format("writing the {}", name));
        changed_ = true;
        line.state = CredentialState::unknown;
        CO_TRY(const auto answer, co_await at_.ask(command, patient));
        auto good = modem::expect_ok(answer, fmt::format("store the {} in sec tag {}", name, plan_.sec_tag));
        if (!good && good.error().code() == Errc::device_refused && !delete_first_[i])
            line.state = CredentialState::untouched;
        if (!good) co_return good;
    }
    co_return Result<>{};
}

awaitable<Result<>> Run::make_key() {
    auto subject = plan_.subject;
    if (!subject.empty()) {
        CO_TRY(subject, expand(subject, {{"imei", report_.modem->imei}}));
    }
    CO_TRY(const auto command, modem::generate_key(plan_.sec_tag, subject));
    say("making a key pair in the modem");
    changed_ = true;
    auto& line =
        report_.credentials.emplace_back(ModemReport::Line{CredentialType::client_key, CredentialState::unknown});
    if (other_key_) {
        CO_TRY(const auto gone,
               co_await at_.ask(modem::delete_credential(plan_.sec_tag, CredentialType::client_key), patient));
        CO_TRY_VOID(modem::expect_ok(gone, fmt::format("delete the client private key in sec tag {}", plan_.sec_tag)));
    }
    CO_TRY(const auto answer, co_await at_.ask(command, patient));
    auto good = modem::expect_ok(answer, fmt::format("make a key pair in sec tag {}", plan_.sec_tag));
    if (!good) {
        line.state = other_key_ ? CredentialState::missing : CredentialState::untouched;
        co_return good;
    }
    CO_TRY(const auto key, modem::parse_generated_key(answer));
    CO_TRY(report_.signing_request, signing_request_pem(key.csr));
    // The list has a SHA-256 of it, and nobody outside the modem has the key to compare with: the request's signature,
    // checked above, is the proof.
    line.state = CredentialState::written;
    co_return Result<>{};
}

void Run::compare_after(const std::vector<modem::StoredCredential>& stored) {
    listed_ = true;
    for (std::size_t i = 0; i < credentials_.size(); ++i) {
        auto& line = report_.credentials[i];
        const auto* there = find(stored, line.type);
        const auto digests = digests_of(credentials_[i]);
        const bool same =
            there != nullptr && there->digest && std::ranges::find(digests, *there->digest) != digests.end();
        if (line.state == CredentialState::already && same) continue;
        if (line.state == CredentialState::untouched) continue;
        line.state = same               ? CredentialState::written
                     : there == nullptr ? CredentialState::missing
                     : !there->digest   ? CredentialState::unproven
                                        : CredentialState::different;
    }
}

Result<> Run::judge() const {
    for (const auto& line : report_.credentials)
        if (line.state == CredentialState::missing || line.state == CredentialState::different)
            return fail(
                Error(Errc::not_proven,
                      fmt::format("expected the modem to list the {} as it was written, found {}", type_name(line.type),
                                  line.state == CredentialState::missing ? "none" : "another SHA-256"))
                    .with("modem", "differs"));
    return {};
}

awaitable<Result<>> Run::work() {
    CO_TRY_VOID(co_await identify());
    CO_TRY(credentials_, plan_.credentials(*report_.modem));
    for (const auto& each : credentials_) report_.credentials.push_back({each.type, CredentialState::untouched});
    say("reading what the modem has");
    CO_TRY(const auto before, co_await list());
    CO_TRY_VOID(compare_before(before));
    const bool all_there = std::ranges::all_of(report_.credentials,
                                               [](const auto& line) { return line.state == CredentialState::already; });
    if (all_there && !plan_.generate_key) {
        report_.outcome = ModemOutcome::already;
        co_return Result<>{};
    }
    CO_TRY_VOID(co_await go_offline());
    CO_TRY_VOID(co_await write_all());
    if (plan_.generate_key) {
        CO_TRY_VOID(co_await make_key());
    }
    say("comparing");
    CO_TRY(const auto after, co_await list());
    compare_after(after);
    CO_TRY_VOID(judge());
    report_.outcome = ModemOutcome::provisioned;
    co_return Result<>{};
}

awaitable<void> Run::take_stock() {
    if (!changed_) {
        if (report_.error->code() == Errc::policy_refused || report_.error->code() == Errc::credentials_unusable)
            report_.outcome = ModemOutcome::refused;
        co_return;
    }
    if (listed_) co_return;
    auto stored = co_await list();
    if (stored) compare_after(*stored);
}

awaitable<Result<>> Run::restore() {
    if (!went_offline_) co_return Result<>{};
    say("restoring the modem's functional mode");
    const auto mode = *report_.functionality;
    auto restored = co_await at_.ask_again(modem::set_functionality(mode), patient);
    auto good = restored ? modem::expect_ok(*restored, fmt::format("return to +CFUN={}", mode))
                         : Result<>(fail(std::move(restored.error())));
    if (good) co_return good;
    report_.left_offline = true;
    co_return fail(std::move(good.error())
                       .in("restoring the modem's functional mode")
                       .with("modem", "left-offline")
                       .with("functionality", std::to_string(mode)));
}

}  // namespace

std::string_view outcome_name(ModemOutcome outcome) noexcept {
    switch (outcome) {
        case ModemOutcome::provisioned:
            return "provisioned";
        case ModemOutcome::already:
            return "already-provisioned";
        case ModemOutcome::refused:
            return "refused";
        case ModemOutcome::failed:
            return "failed";
    }
    return "failed";
}

std::string_view state_name(CredentialState state) noexcept {
    switch (state) {
        case CredentialState::untouched:
            return "not written";
        case CredentialState::already:
            return "was there";
        case CredentialState::written:
            return "written";
        case CredentialState::unproven:
            return "written, not compared";
        case CredentialState::different:
            return "differs";
        case CredentialState::unknown:
            return "unknown";
        case CredentialState::missing:
            return "missing";
    }
    return "unknown";
}

std::string ModemReport::standing() const {
    std::string out;
    for (const auto& line : credentials)
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", type_name(line.type), state_name(line.state));
    return out;
}

awaitable<ModemReport> provision_modem(ports::SerialLine& line, ports::Clock& clock, ModemPlan plan,
                                       std::function<void(const std::string&)> step) {
    // A cancelled run still has an offline modem to bring back: cancellation is a result here, never an exception.
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    ModemReport report;
    Run run(line, clock, plan, step, report);
    auto done = co_await run.work();
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    if (!done) {
        report.error = std::move(done.error());
        co_await run.take_stock();
    }
    auto restored = co_await run.restore();
    if (!restored) {
        report.outcome = ModemOutcome::failed;
        if (!report.error) report.error = std::move(restored.error());
    }
    co_return report;
}

}  // namespace fota::provision
