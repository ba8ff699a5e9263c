#include "cli/modem_job.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "adapters/serial_port.hpp"
#include "adapters/system_clock.hpp"
#include "base/text.hpp"
#include "cli/credentials_file.hpp"
#include "cli/files.hpp"
#include "provision/minting.hpp"
#include "provision/naming.hpp"

namespace fota::cli {

using modem::CredentialType;
using provision::CredentialState;
using provision::ModemCredential;
using provision::ModemIdentity;
using provision::ModemOutcome;

namespace {

/// A PEM file with LF line ends.
Result<Secret<std::string>> read_pem(const std::string& path, bool secret) {
    Secret<Bytes> bytes;
    if (secret) {
        TRY(bytes, read_secret_file(path));
    } else {
        TRY(auto content, read_file(path, small_file_limit));
        bytes = Secret<Bytes>(std::move(content));
    }
    std::string text;
    text.reserve(bytes.reveal().size());
    for (const char each : as_text(bytes.reveal()))
        if (each != '\r') text += each;
    Secret<std::string> out(std::move(text));
    if (!out.reveal().starts_with("-----BEGIN "))
        return fail(
            Error(Errc::credentials_unusable, fmt::format("expected PEM in {}, found other content", shown_path(path)))
                .with("pem", path));
    return out;
}

class Preparation {
  public:
    Preparation(const ModemJob& job, ModemResult& result) : job_(job), result_(result) {}

    /// Files are read before the port is opened: a bad one costs no device anything.
    Result<> read() {
        TRY_VOID(read_one(job_.root_ca, CredentialType::root_ca));
        TRY_VOID(read_one(job_.certificate, CredentialType::client_certificate));
        TRY_VOID(read_one(job_.private_key, CredentialType::client_key));
        return {};
    }

    Result<std::vector<ModemCredential>> credentials(const ModemIdentity& modem) {
        if (!job_.expected_imei.empty() && modem.imei != job_.expected_imei)
            return fail(Errc::policy_refused,
                        fmt::format("expected the device with IMEI {} on {}, found {}; nothing was"
                                    " changed",
                                    printable(job_.expected_imei), printable(job_.port), modem.imei));
        std::vector<ModemCredential> out;
        if (!job_.credentials.empty()) {
            TRY_VOID(add_psk(modem, out));
        }
        for (auto& each : files_) out.push_back({each.type, each.content.clone()});
        return out;
    }

  private:
    Result<> read_one(const std::string& path, CredentialType type) {
        if (path.empty()) return {};
        TRY(auto content, read_pem(path, type == CredentialType::client_key));
        files_.push_back({type, std::move(content)});
        return {};
    }

    Result<> add_psk(const ModemIdentity& modem, std::vector<ModemCredential>& out) {
        result_.endpoint = job_.endpoint;
        if (result_.endpoint.empty()) {
            TRY(result_.endpoint,
                provision::expand(job_.endpoint_template, {{"imei", modem.imei}, {"iccid", modem.iccid}}));
        }
        TRY_VOID(check_endpoint_name(result_.endpoint));
        TRY(auto file, CredentialsFile::open(job_.credentials));
        const auto* device = file.find_endpoint(result_.endpoint);
        if (device == nullptr) {
            if (job_.known_only)
                return fail(Error(Errc::credentials_unusable,
                                  fmt::format("expected {} in {}, found it is not there", printable(result_.endpoint),
                                              shown_path(job_.credentials)))
                                .with("endpoint", result_.endpoint));
            TRY(const auto identity,
                provision::expand(job_.identity_template,
                                  {{"endpoint", result_.endpoint}, {"imei", modem.imei}, {"iccid", modem.iccid}}));
            TRY(device, file.mint(result_.endpoint, identity));
            // Before the modem has it: a key that only the device knows is lost.
            TRY_VOID(file.save());
            result_.minted = true;
        }
        result_.identity = device->identity;
        if (device->key.reveal().size() > provision::longest_modem_key)
            return fail(
                Error(Errc::credentials_unusable,
                      fmt::format("expected a key of at most {} bytes for a modem, found {}: its LwM2M client reads no"
                                  " longer one",
                                  provision::longest_modem_key, device->key.reveal().size()))
                    .with("endpoint", result_.endpoint));
        out.push_back({CredentialType::psk_identity, Secret<std::string>(device->identity)});
        out.push_back({CredentialType::psk, Secret<std::string>(to_hex(device->key.reveal()))});
        return {};
    }

    const ModemJob& job_;
    ModemResult& result_;
    std::vector<ModemCredential> files_;
};

/// The error as a person needs it: what went wrong, and where each credential stands.
Error explained(const ModemJob& job, const ModemResult& result) {
    const auto& report = result.report;
    const auto& cause = *report.error;
    auto text = cause.text();
    auto code = cause.code();
    if (code == Errc::cancelled) {
        code = result.signal == SIGTERM ? Errc::terminated : Errc::interrupted;
        text = fmt::format("stopped by signal {}", result.signal);
    }
    const bool changed = std::ranges::any_of(report.credentials, [](const auto& line) {
        return line.state != CredentialState::untouched && line.state != CredentialState::already;
    });
    if (changed)
        text += fmt::format("; in sec tag {} now: {}", job.sec_tag, report.standing());
    else if (report.modem && text.find("nothing was changed") == std::string::npos)
        text += "; the modem's credentials were not changed";
    if (report.left_offline)
        text += fmt::format("; the modem may still be offline: +CFUN={} was not restored",
                            report.functionality.value_or(1));
    Error out(code, std::move(text));
    for (const auto& [key, value] : cause.details()) (void)std::move(out).with(key, value);
    if (report.left_offline) (void)std::move(out).with("left-offline", "true");
    return out;
}

nlohmann::json fields_of(const ModemJob& job, const ModemResult& result) {
    const auto& report = result.report;
    nlohmann::json fields{{"port", job.port}, {"outcome", outcome_name(report.outcome)}, {"sec_tag", job.sec_tag}};
    if (!job.label.empty()) fields["label"] = job.label;
    if (report.modem) {
        fields["imei"] = report.modem->imei;
        fields["model"] = printable(report.modem->model);
        fields["modem_firmware"] = printable(report.modem->firmware);
        fields["hardware"] = printable(report.modem->hardware);
        fields["access"] = modem::dialect_text(report.modem->dialect);
        if (!report.modem->iccid.empty()) fields["iccid"] = report.modem->iccid;
        if (!report.modem->attestation.empty()) fields["attestation"] = printable(report.modem->attestation, 4096);
    }
    if (!result.endpoint.empty()) fields["endpoint"] = result.endpoint;
    if (!result.identity.empty()) {
        fields["identity"] = printable(result.identity);
        fields["minted"] = result.minted;
    }
    auto credentials = nlohmann::json::array();
    for (const auto& line : report.credentials)
        credentials.push_back({{"type", static_cast<int>(line.type)},
                               {"name", modem::type_text(static_cast<int>(line.type))},
                               {"state", state_name(line.state)}});
    fields["credentials"] = std::move(credentials);
    if (report.functionality) fields["functionality"] = *report.functionality;
    fields["left_offline"] = report.left_offline;
    if (!report.signing_request.empty()) fields["signing_request"] = report.signing_request;
    if (!result.csr_file.empty()) fields["csr_file"] = result.csr_file;
    return fields;
}

Result<> save_request(const ModemJob& job, ModemResult& result) {
    if (job.csr_out.empty() || result.report.signing_request.empty()) return {};
    TRY(result.csr_file, provision::expand(job.csr_out, {{"imei", result.report.modem->imei}}));
    return write_file_atomic(result.csr_file, as_bytes(result.report.signing_request));
}

}  // namespace

ModemResult run_modem_job(Output& out, const ModemJob& job) {
    ModemResult result;
    const auto conclude = [&] {
        if (result.report.error) result.error = explained(job, result);
        result.fields = fields_of(job, result);
    };
    Preparation preparation(job, result);
    if (auto read = preparation.read(); !read) {
        result.report.error = std::move(read.error());
        result.report.outcome = ModemOutcome::refused;
        conclude();
        return result;
    }
    boost::asio::io_context io(1);
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    adapters::SystemClock clock(io.get_executor());
    auto port =
        adapters::SerialPort::open(io.get_executor(), {.device = job.port, .baud = job.baud, .rts_cts = job.rts_cts});
    if (!port) {
        result.report.error = std::move(port.error());
        conclude();
        return result;
    }
    provision::ModemPlan plan;
    plan.sec_tag = job.sec_tag;
    plan.replace = job.replace;
    plan.generate_key = job.generate_key;
    plan.subject = job.subject;
    plan.want_attestation = job.attestation;
    plan.want_iccid =
        !job.credentials.empty() && (provision::asks_for(job.identity_template, "iccid") ||
                                     (job.endpoint.empty() && provision::asks_for(job.endpoint_template, "iccid")));
    plan.credentials = [&](const ModemIdentity& modem) { return preparation.credentials(modem); };

    boost::asio::cancellation_signal stop;
    signals.async_wait([&](const boost::system::error_code& error, int number) {
        if (error) return;
        result.signal = number;
        stop.emit(boost::asio::cancellation_type::terminal);
    });
    std::exception_ptr bug;
    boost::asio::co_spawn(io,
                          provision::provision_modem(**port, clock, std::move(plan),
                                                     [&](const std::string& step) {
                                                         out.event("step", {{"port", job.port}, {"step", step}});
                                                         out.note(fmt::format("step       {}", step));
                                                     }),
                          boost::asio::bind_cancellation_slot(
                              stop.slot(), [&](std::exception_ptr failure, provision::ModemReport report) {
                                  bug = failure;
                                  if (!failure) result.report = std::move(report);
                                  io.stop();  // a read of a silent port is still waiting
                              }));
    io.run();
    if (bug) std::rethrow_exception(bug);
    if (auto saved = save_request(job, result); !saved && !result.report.error) {
        result.report.error = std::move(saved.error());
        result.report.outcome = ModemOutcome::failed;
    }
    conclude();
    return result;
}

void tell_modem(Output& out, const ModemJob& job, const ModemResult& result) {
    const auto& report = result.report;
    if (report.modem) {
        const auto& modem = *report.modem;
        out.line(fmt::format(
            "modem      {} · {} · IMEI {} · {}", printable(job.port), modem::dialect_text(modem.dialect), modem.imei,
            printable(modem.firmware.empty() ? std::string("modem firmware unknown") : modem.firmware)));
    }
    if (!result.endpoint.empty())
        out.line(fmt::format("endpoint   {} · identity {} · key {} {}", result.endpoint,
                             result.identity.empty() ? "none" : printable(result.identity),
                             result.minted ? "minted into" : "from", shown_path(job.credentials)));
    if (!report.credentials.empty()) out.line(fmt::format("sec tag    {}: {}", job.sec_tag, report.standing()));
    if (!result.csr_file.empty())
        out.line(fmt::format("request    {} · sign it, then: fotactl provision modem --port {} --certificate CERT",
                             shown_path(result.csr_file), printable(job.port)));
    else if (!report.signing_request.empty())
        out.line(report.signing_request);
    if (!result.error)
        out.line(fmt::format("{}  {}", report.outcome == ModemOutcome::already ? "already" : "provisioned",
                             result.endpoint.empty() && report.modem ? "IMEI " + report.modem->imei : result.endpoint));
}

}  // namespace fota::cli
