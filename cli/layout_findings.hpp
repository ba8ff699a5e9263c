// Findings as a person reads them and as a script does; shared by the commands of `layout` that end in findings.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/disk_file_tree.hpp"
#include "cli/output.hpp"
#include "cli/program.hpp"
#include "layout/check.hpp"

namespace fota::cli {

/// "3 errors", "1 error"
std::string plural(std::size_t count, std::string_view word);
/// "prj.conf:31", "prj.conf", or ""
std::string place(const layout::Where& where);
/// Columns for paragraphs: the terminal's, within what reads well.
std::size_t text_width(const Output& out);
/// Prints a paragraph set in by `indent` columns, broken at spaces; lines after the first are set in by `hang` more.
void paragraph(Output& out, std::string_view text, std::size_t width, std::size_t indent = 9, std::size_t hang = 0);

/// One finding: an event, or a block of text.
void show_finding(Output& out, const layout::Finding& finding);
/// Ends a command that judged: 5 when there is an error. `fields` go into the result.
int end_with_findings(Output& out, const std::vector<layout::Finding>& findings, nlohmann::json fields);

/// A project that lives as long as its files and the boards do.
struct OpenProject {
    std::unique_ptr<adapters::DiskFileTree> files;
    std::unique_ptr<layout::Boards> boards;
    layout::Project project;
};
/// `boards`: the flag --boards.
Result<OpenProject> open_project(const Program& program, const std::string& path, const std::string& board = {},
                                 const std::string& boards = {});

/// The signed image that a build left, with a name relative to the build; nullopt when there is none.
std::optional<layout::ImageFacts> built_image(const layout::Project& project);

/// What a file holds as an image, binary or in one of the wrappings read_image() takes off; "-" is stdin. A file that
/// is no image is one, too, for a finding to say so. file_unreadable.
Result<layout::ImageFacts> image_file(const std::string& path);

/// A text file such as a baseline or a log, at most `limit` bytes; "-" is stdin.
Result<std::string> read_text_file(const std::string& path, std::uint64_t limit);

}  // namespace fota::cli
