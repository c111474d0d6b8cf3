"""Plans, planned solvers and DNAs for libraries other than ComfyUI. The node pack needs none of these libraries."""
