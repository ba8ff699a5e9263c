#include "layout/check.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "image/image.hpp"
#include "image/verify.hpp"
#include "layout/rules.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t longest_text = 4000;

enum class Verdict { apply, holds, source, build, board, image, flash_part, baseline, log, unreadable };

Verdict readiness(unsigned needs, const Project& p, const Inputs& inputs, bool slots_known) {
    const auto has = [&](unsigned bit) { return (needs & bit) != 0; };
    const bool source = p.tree == Tree::source;
    if (has(need::source) && !source) return Verdict::source;
    if (has(need::build) && source) return Verdict::build;
    if (has(need::image) && !inputs.image) return Verdict::image;
    if (has(need::flash_part) && !rules::fitted_part(inputs)) return Verdict::flash_part;
    if (has(need::baseline) && !inputs.baseline) return Verdict::baseline;
    if (has(need::known_key) && !(p.tree == Tree::build && p.mcuboot.config_readable) && !inputs.baseline)
        return source ? Verdict::build : Verdict::unreadable;
    if (has(need::log) && !inputs.log) return Verdict::log;
    if ((has(need::app_config) && !p.app.config_readable) ||
        (has(need::mcuboot_config) && !p.mcuboot.config_readable) ||
        (has(need::app_devicetree) && !p.app.devicetree_readable) ||
        (has(need::mcuboot_devicetree) && !p.mcuboot.devicetree_readable) ||
        ((has(need::partitions) || has(need::slots) || has(need::external)) && !p.partitions_readable) ||
        (has(need::external) && !p.sysbuild_readable))
        return Verdict::unreadable;
    // Several boards are named and none was chosen: their own files are not in what was read.
    if (source && !p.board && !p.board_candidates.empty() &&
        has(need::external | need::app_devicetree | need::mcuboot_devicetree))
        return Verdict::board;
    if (has(need::external) && !p.external()) return Verdict::holds;
    if (has(need::board) && (!p.board || p.board->facts == nullptr)) return Verdict::board;
    if (has(need::spi)) {
        const auto spi = p.spi();
        if (!spi) return p.board && p.board->facts != nullptr ? Verdict::holds : Verdict::board;
        if (!*spi) return Verdict::holds;
    }
    if (has(need::partitions) && !p.partitions) return source && p.partition_manager ? Verdict::build : Verdict::holds;
    if (has(need::slots) && !slots_known) return source ? Verdict::build : Verdict::unreadable;
    return Verdict::apply;
}

std::string safe(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at <= text.size();) {  // line by line: a fix may have several
        const auto end = std::min(text.find('\n', at), text.size());
        if (at > 0) out += '\n';
        out += printable(std::string_view(text).substr(at, end - at), longest_text);
        at = end + 1;
    }
    return out;
}

void count(Counts& counts, Verdict verdict) {
    switch (verdict) {
        case Verdict::apply:
        case Verdict::holds:
            ++counts.checked;
            break;
        case Verdict::source:
            ++counts.need_source;
            break;
        case Verdict::build:
            ++counts.need_build;
            break;
        case Verdict::board:
            ++counts.need_board;
            break;
        case Verdict::image:
            ++counts.need_image;
            break;
        case Verdict::flash_part:
            ++counts.need_flash_part;
            break;
        case Verdict::baseline:
            ++counts.need_baseline;
            break;
        case Verdict::log:
            ++counts.need_log;
            break;
        case Verdict::unreadable:
            ++counts.unreadable;
            break;
    }
}

std::string describe(const Project& project) {
    std::string out = project.board ? project.board->description() : std::string("board unknown");
    if (!project.board && !project.board_candidates.empty()) {
        std::string list;
        for (const auto& name : project.board_candidates) list += (list.empty() ? "" : ", ") + name;
        out += " (the tree names " + list + ": choose with --board)";
    }
    out += " · nRF Connect SDK ";
    if (!project.sdk_version.empty()) out += project.sdk_version + " ";
    out += project.tree == Tree::source ? "sources" : "build";
    if (project.external()) {
        out += " · MCUboot secondary in external flash";
    } else if (project.tree == Tree::build ? project.mcuboot.present
                                           : project.sysbuild.on("SB_CONFIG_BOOTLOADER_MCUBOOT")) {
        out += " · MCUboot secondary in internal flash";
    }
    return out;
}

}  // namespace

std::vector<Finding> in_order(std::vector<Finding> findings) {
    std::vector<Finding> out;
    for (const auto severity : {Severity::error, Severity::warning, Severity::note})
        for (auto& finding : findings)
            if (finding.severity == severity) out.push_back(std::move(finding));
    for (auto& finding : out)
        for (auto* text : {&finding.message, &finding.expected, &finding.found, &finding.fix, &finding.where.file})
            *text = safe(*text);
    return out;
}

ImageFacts image_facts(BytesView file, std::string name) {
    ImageFacts out;
    out.name = std::move(name);
    out.size = file.size();
    const auto parsed = image::parse(file);
    if (parsed) {
        out.walkable = true;
        out.end = parsed->end;
        out.version = parsed->header.version;
        out.security_counter = parsed->security_counter(file);
        out.intact = image::verify(file, *parsed, {}).has_value();
        out.header_size = parsed->header.header_size;
        if (const auto* signature = parsed->signature()) out.signature_type = signature->type;
        out.key_hash = to_bytes(parsed->key_hash(file));
        const bool plain = !parsed->header.encrypted() && !parsed->header.compressed();
        if (const auto word = slice(file, std::uint64_t{out.header_size} + 4, 4); word && plain)
            out.reset_vector = load_le32(word->data());
        return out;
    }
    const auto begins = [&](std::string_view magic) { return as_text(file).starts_with(magic); };
    if (file.empty()) {
        out.what = "an empty file";
    } else if (begins("PK\x03\x04")) {
        out.what = "a zip archive";
    } else if (begins("\x7f"
                      "ELF")) {
        out.what = "an ELF file";
    } else if (begins(":") && file.size() > 10) {
        out.what = "an Intel HEX file";
    } else if (begins("\x84\xd2")) {
        out.what = "a full modem firmware";
    } else if (file.size() >= 4 && load_le32(file.data()) == image::image_magic) {
        out.what = "an MCUboot image that is cut or damaged";
    } else if (const auto base = base_name(out.name);
               base.starts_with("mfw_") && base.find("update_from") != base.npos) {
        out.what = "a modem delta";
    } else {
        out.what = "no MCUboot image";
    }
    return out;
}

unsigned Report::count(Severity severity) const {
    return static_cast<unsigned>(std::ranges::count(findings, severity, &Finding::severity));
}

Report check(const Project& project, const Inputs& inputs) {
    Report report;
    report.description = safe(describe(project));
    if (auto known = slots(project)) report.slots = std::move(*known);
    Findings findings;
    findings.list() = project.unreadable;
    for (const auto& rule : catalogue()) {
        findings.begin(std::string(rule.name));
        auto& counts = report.counts;
        auto verdict = readiness(rule.needs, project, inputs, report.slots.has_value());
        const auto before = findings.list().size();
        if (verdict == Verdict::apply && rule.apply != nullptr) rule.apply(project, inputs, findings);
        if (findings.undecided() && findings.list().size() == before) verdict = Verdict::source;
        const bool decided = verdict == Verdict::apply || verdict == Verdict::holds;
        if (decided && rule.apply != nullptr && findings.list().size() == before) report.clean.push_back(rule.name);
        if (rule.observe != nullptr && (inputs.log || inputs.probe) && findings.list().size() == before)
            rule.observe(project, inputs, findings);
        count(counts, rule.observe != nullptr && inputs.log ? Verdict::apply : verdict);
    }
    report.findings = in_order(std::move(findings.list()));
    return report;
}

Result<Report> check(const FileTree& files, const Inputs& inputs) {
    TRY(const auto project,
        read_project(files, inputs.board, inputs.boards != nullptr ? *inputs.boards : Boards::built_in()));
    return check(project, inputs);
}

}  // namespace fota::layout
