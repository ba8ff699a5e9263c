// Overlays that #include other files of the same project: the files in place, with line markers, so that every fact
// keeps the file and line it was written in.
#pragma once

#include <string>
#include <vector>

#include "base/file_tree.hpp"
#include "base/result.hpp"
#include "layout/finding.hpp"

namespace fota::layout {

/// A devicetree source with what it includes. What lies in the SDK (dt-bindings, board files) stays a line that the
/// devicetree parser skips.
struct ExpandedSource {
    struct Problem {
        Where where;  ///< of the #include
        std::string message;
    };

    std::string text;
    std::vector<Problem> problems;   ///< includes that were not followed: a build stops there too, or our bounds end
    std::vector<Problem> elsewhere;  ///< includes that lead out of the tree, as written: the source is incomplete

    /// Where a line of `text` was written.
    Where origin(unsigned line) const;

    struct Piece {
        unsigned from = 0;  ///< first line of `text`
        Where where;        ///< of that line
    };
    std::vector<Piece> pieces;  ///< in order of `from`
};

/// Follows includes relative to the file that has them, then in the application's own devicetree directories as
/// Zephyr does (include, dts/common, dts/arm, dts): at most 8 deep, 64 files, 2 MiB, 4,096 lines with an include. A
/// file that includes itself is followed once. The error is that of `path` itself.
Result<ExpandedSource> with_includes(const FileTree& files, const std::string& path);

}  // namespace fota::layout
