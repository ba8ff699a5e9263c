// fotactl provision modem: identity and key into a modem's credential store, for one device or a batch.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/diagnostics.hpp"
#include "cli/files.hpp"
#include "cli/modem_batch.hpp"
#include "cli/modem_job.hpp"
#include "cli/provision.hpp"
#include "cli/signed_report.hpp"

namespace fota::cli {
namespace {

struct Options {
    ModemJob job;
    std::string batch;
    std::string report;
    std::string report_key;
    PassphraseOptions passphrase;
};

void bind(CLI::App& app, Options& o) {
    auto& job = o.job;
    job.endpoint_template = "urn:imei:{imei}";
    job.identity_template = "{endpoint}";
    app.add_option("--port", job.port, "serial port on which AT commands are answered")->type_name("DEV");
    app.add_option("--baud", job.baud, "bits per second")->type_name("N")->capture_default_str();
    app.add_flag("--rts-cts", job.rts_cts, "hardware flow control");
    app.add_option("--credentials", job.credentials,
                   "JSON file of endpoints, identities and keys; grows by what is minted")
        ->type_name("F");
    app.add_option("--sec-tag", job.sec_tag, "security tag: 35724861 LwM2M server, 35724862 bootstrap server")
        ->type_name("N")
        ->capture_default_str();
    app.add_option("--endpoint-template", job.endpoint_template, "endpoint made from {imei} and {iccid}")
        ->type_name("TEXT")
        ->capture_default_str();
    app.add_option("--identity-template", job.identity_template,
                   "DTLS identity made from {endpoint}, {imei} and {iccid}")
        ->type_name("TEXT")
        ->capture_default_str();
    app.add_option("--imei", job.expected_imei, "the device expected there; another one is left as it is")
        ->type_name("N");
    app.add_flag("--known-only", job.known_only, "refuse a device the credentials file does not have; mint nothing");
    app.add_flag("--replace", job.replace, "delete other credentials of the same types in this sec tag first");
    app.add_option("--root-ca", job.root_ca, "CA certificate in PEM, to be written (type 0)")->type_name("F");
    app.add_option("--certificate", job.certificate, "client certificate in PEM, to be written (type 1)")
        ->type_name("F");
    app.add_option("--private-key", job.private_key, "its private key in PEM, mode 0600, to be written (type 2)")
        ->type_name("F");
    app.add_flag("--generate-key", job.generate_key, "make the private key in the modem, where it never leaves");
    app.add_option("--subject", job.subject, "subject of its signing request, as CN={imei}")->type_name("TEXT");
    app.add_option("--csr-out", job.csr_out, "file for the signing request; may hold {imei}")->type_name("F");
    app.add_flag("--attestation", job.attestation, "report the modem's attestation token as well");
    app.add_option("--batch", o.batch, "CSV with a header of port, imei, endpoint, sec_tag, label: one device a line")
        ->type_name("CSV");
    app.add_option("--report", o.report, "signed report of what was done, a JSON Web Signature")->type_name("F");
    app.add_option("--report-key", o.report_key, "private key that signs the report, Ed25519 or P-256")
        ->type_name("KEY");
    bind_passphrase(app, o.passphrase);
}

Failure misuse(std::string message, std::string hint) {
    return fail(Error(Errc::usage, std::move(message)).with("hint", std::move(hint)));
}

Result<> check(const Options& o) {
    const auto& job = o.job;
    if (job.port.empty() && o.batch.empty())
        return misuse("expected --port DEV, found none", "see which port answers AT: fotactl serial ports");
    if (job.credentials.empty() && job.root_ca.empty() && job.certificate.empty() && job.private_key.empty() &&
        !job.generate_key)
        return misuse(
            "expected something to write, found nothing",
            "--credentials FILE for a pre-shared key; --root-ca, --certificate, --private-key or --generate-key");
    if (job.sec_tag > modem::largest_sec_tag)
        return misuse(fmt::format("expected a sec tag of at most {}, found {}", modem::largest_sec_tag, job.sec_tag),
                      "larger ones are the modem's own");
    if (job.generate_key && !job.private_key.empty())
        return misuse("expected --generate-key or --private-key, found both",
                      "a key is made in the modem or given to it");
    if (!job.generate_key && (!job.subject.empty() || !job.csr_out.empty()))
        return misuse("expected --generate-key with --subject and --csr-out, found none", "add --generate-key");
    if (!o.report.empty() != !o.report_key.empty())
        return misuse("expected --report and --report-key together, found one of them",
                      "fotactl key new --type ed25519 --out station.pem");
    return {};
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    auto job = options.job;
    job.credentials = program.config.value_or(job.credentials, "credentials");
    if (auto good = check(options); !good) return out.fail(good.error());
    std::optional<SignedReport> report;
    if (!options.report.empty()) {
        auto opened = SignedReport::open(options.report, options.report_key, options.passphrase);
        if (!opened) return out.fail(opened.error());
        report.emplace(std::move(*opened));
    }
    if (!options.batch.empty()) return run_modem_batch(out, job, options.batch, report ? &*report : nullptr);

    auto result = run_modem_job(out, job);
    tell_modem(out, job, result);
    auto fields = result.fields;
    fields.erase("outcome");
    if (report) {
        auto row = result.fields;
        if (result.error) row["error"] = {{"code", errc_name(result.error->code())}, {"message", result.error->text()}};
        if (auto written = report->write({row}); !written) {
            out.warn(fmt::format("warning    the report was not written: {}", written.error().text()));
            if (!result.error) return out.fail(written.error(), std::move(fields));
        } else {
            fields["report"] = options.report;
            out.line(fmt::format("report     {}", shown_path(options.report)));
        }
    }
    if (result.error) return out.fail(*result.error, std::move(fields));
    return out.result(outcome_name(result.report.outcome), std::move(fields));
}

}  // namespace

void add_provision_modem(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "modem", "write a device's identity and key into its modem over AT commands",
                         bind, run);
}

}  // namespace fota::cli
